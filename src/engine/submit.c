/* SPDX-License-Identifier: MIT */
/*
 * submit.c - queues: a job in, an id at once, its result later. The public calls of brood_queue.
 */
#include "submit.h"

#include "behind.h"
#include "deliver.h"
#include "given.h"
#include "loan.h"
#include "inbox_look.h"
#include "path.h"
#include "place.h"
#include "queue_jobs.h"
#include "queues.h"
#include "engine_root.h"
#include "ring_in.h"
#include "sleep.h"
#include "spinning.h"
#include "stream.h"
#include "take.h"

#include "../base/options.h"
#include <limits.h>

#define QUEUE_JOBS_MAX 65536u

static struct queue *queue_of(struct brood_queue *q) { return (struct queue *)q; }

/* The queue's leases are workers of one pool: a job for another pool is handed off. */
static bool is_handed_off(const struct queue *l, const struct given *given)
{
	return (given->options.dispatch == BROOD_PATH_HANDOFF || given->pool != l->pool) &&
		l->kind != QUEUE_PINNED && !l->brood->run_here;
}

static int fail_other_pool(const struct queue *l, const struct given *given)
{
	return fail_with(-EINVAL,
		"job options: the job is for pool %s and forces a lease, but its queue's leases "
		"are of pool %s: make a queue of that pool (brood_queue_options.pool)",
		given->pool->setup->name, l->pool->setup->name);
}

int submit_job(struct queue *l, const struct given *given, uint64_t *ret_id)
{
	bool handoff = is_handed_off(l, given);
	struct queue_job *job;
	uint64_t id;
	int r;

	if (atomic_load_explicit(&l->brood->queues_ended, memory_order_relaxed))
		return fail_gone();
	if (l->kind == QUEUE_PINNED)
		inbox_look(l); /* the end of the lease may lie in the inbox */
	if (l->pinned.over)
		return path_lease_over();
	if (handoff && given->options.dispatch == BROOD_PATH_LEASE)
		return fail_other_pool(l, given);
	r = queue_jobs_new(l, given, true, &job);
	if (r < 0)
		return r == -EAGAIN ? path_results(l) : fail_system(r, "a job's record");
	id = job->id;
	if (given->options.ret_id && !handoff)
		__atomic_store_n(given->options.ret_id, id, __ATOMIC_RELEASE);
	if (handoff)
		r = place_keep(job, given);
	else
		r = ring_in_alone(l, job, given) ? 0 : place_give(l, job, given);
	if (r < 0) {
		r = fail_system(r, "what a job needs");
	} else if (handoff) {
		r = stream_begin(l, job, given->options.ret_id);
		id = job->id;
		behind_watch(l); /* the job may be kept: the timer refuses it in time */
	}
	if (r < 0) {
		queue_jobs_free(l, job);
		return r;
	}
	QUEUE_COUNT(l, given->pool, submitted, submitted);
	if (ret_id)
		*ret_id = id;
	return 0;
}

void submit_poke(struct queue *l, uint32_t news)
{
	if (l->results.news != news && l->sleep.polled)
		inbox_poke(&l->inbox);
}

static int submit(struct queue *l, const struct given *given, uint64_t *ret_id)
{
	uint32_t news = l->results.news;
	int r = submit_job(l, given, ret_id);

	if (r < 0)
		return r;
	if (!(given->options.flags & BROOD_JOB_MORE) && !deliver_here(l))
		ring_in_flush(l);
	submit_poke(l, news);
	return 0;
}

struct queue *submit_queue(struct brood *b, const struct given *given)
{
	if (given->options.lease)
		return (struct queue *)given->options.lease;
	return given->options.queue ? queue_of(given->options.queue) : queues_own(b->pools);
}

int engine_submit(struct brood *b, const struct engine_job *job, const struct iovec *request,
	size_t count, uint64_t *ret_id)
{
	if (!ENGINE_IS_HERE(b))
		return fail_not_engine(b);
	CANCELLATION_OFF_IF_THREADS; /* VISIT() by hand: most jobs come this way */
	struct given given;
	struct queue *l;
	int r = given_check(b, job, true, &given);

	if (r < 0)
		return outcome_refused(given.pool, r);
	given_request(&given, request, count);
	if (given.options.request && (r = loan_check(b, &given)) < 0)
		return r;
	if (atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return fail_stopped();
	l = submit_queue(b, &given);
	if (!l)
		return -errno;
	queue_lock(l);
	r = submit(l, &given, ret_id);
	queue_unlock(l);
	return r < 0 ? outcome_refused(given.pool, r) : r;
}

static int submit_pieces(const char *call, struct brood *brood, const struct engine_job *job,
	const struct iovec *request, size_t count, uint64_t *ret_id)
{
	size_t size;
	int r = ENGINE_ROLE(call, brood);

	if (r < 0 || (r = given_pieces("brood_submit", request, count, &size)) < 0)
		return r;
	return engine_submit(brood, job, request, count, ret_id);
}

int brood_submit_named(struct brood *brood, brood_fn *fn, const char *name, const void *request,
	size_t request_size, const struct brood_job_options *options, uint64_t *ret_id)
{
	struct engine_job job = engine_job_of(fn, name, options);
	struct iovec piece = { .iov_base = (void *)(uintptr_t)request, .iov_len = request_size };

	return submit_pieces("brood_submit", brood, &job, &piece, request_size > 0, ret_id);
}

int brood_submitv_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *request, size_t request_count, const struct brood_job_options *options,
	uint64_t *ret_id)
{
	struct engine_job job = engine_job_of(fn, name, options);

	return submit_pieces("brood_submitv", brood, &job, request, request_count, ret_id);
}

static int gone(const struct queue *l, int count)
{
	if (count == 0 && atomic_load_explicit(&l->brood->queues_ended, memory_order_relaxed) &&
		l->brood->lost)
		return fail_gone();
	return count;
}

int engine_queue_fd(struct brood_queue *q)
{
	struct queue *l = queue_of(q);
	VISIT(l->brood);
	int r;

	queue_lock(l);
	if (!l->sleep.polled) {
		l->sleep.polled = true;
		sleep_tell(l);
	}
	r = l->fds.epoll;
	queue_unlock(l);
	if (atomic_load(&l->brood->refusing))
		return fail_stopped();
	return r >= 0 ? r : fail_gone();
}

#define DISPATCH_ROUNDS 16

/*
 * Jobs that callbacks submit may be done before the callbacks return. So this thread looks a few
 * times: being told, and coming again, would be dearer.
 */
int submit_dispatch(struct queue *l)
{
	int count;

	take_forget(l);
	spinning_here(l); /* for the workers: a program that polls does not spin itself */
	sleep_quiet(l);
	l->results.delivering_next = true;
	sleep_look(l);
	l->results.delivering_next = false;
	count = deliver_handles(l);
	count += deliver(l);
	for (int round = 0; round < DISPATCH_ROUNDS && l->sleep.polled && sleep_listen(l);
		round++) {
		sleep_quiet(l);
		sleep_glance(l);
		count += deliver_handles(l);
		count += deliver(l);
	}
	sleep_listen_polled(l);
	return count;
}

int engine_queue_dispatch(struct brood_queue *q)
{
	struct queue *l = queue_of(q);
	VISIT(l->brood);
	int r;

	queue_lock(l);
	r = gone(l, submit_dispatch(l));
	queue_unlock(l);
	return r;
}

static int wait_for_results(struct queue *l, uint32_t timeout_ms)
{
	uint64_t until = 0, now;

	for (;;) {
		int count = deliver(l);

		deliver_handles_on(l);
		if (count > 0 || l->results.count > 0)
			return MAX(count, (int)MIN(l->results.count, (size_t)INT_MAX));
		if (l->jobs.out == l->results.taken_count + l->jobs.others)
			return 0;
		now = timeout_ms == BROOD_FOREVER ? 0 : now_ns();
		if (until == 0)
			until = time_after_ms(now, timeout_ms);
		else if (now >= until)
			return fail_with(-ETIMEDOUT,
				"brood_queue_wait: no result came in time; %zu jobs are out",
				l->jobs.out - l->results.taken_count - l->jobs.others);
		sleep_from(l, &l->sleep.takers, now, until);
	}
}

int engine_queue_wait(struct brood_queue *q, uint32_t timeout_ms)
{
	struct queue *l = queue_of(q);
	VISIT(l->brood);
	int r;

	queue_lock(l);
	take_forget(l);
	sleep_glance(l);
	r = wait_for_results(l, timeout_ms);
	sleep_listen_polled(l);
	queue_unlock(l);
	return r == 0 ? gone(l, 0) : r;
}

size_t engine_queue_out(struct brood_queue *q)
{
	struct queue *l = queue_of(q);
	size_t out;

	queue_lock(l);
	out = l->jobs.out - l->results.taken_count - l->jobs.others;
	queue_unlock(l);
	return out;
}

int engine_queue_new(
	struct brood *b, const struct brood_queue_options *options, struct brood_queue **ret)
{
	VISIT(b);
	struct brood_queue_options o;
	struct queue *l;
	int r;

	r = given_options(&o, sizeof o, options, o.reserved, ARRAY_SIZE(o.reserved), "queue");
	if (r < 0)
		return r;
	if (o.jobs > QUEUE_JOBS_MAX)
		return fail_with(
			-EINVAL, "queue options: jobs is %u: at most %u", o.jobs, QUEUE_JOBS_MAX);
	if (o.pool && !given_pool_known(b, o.pool))
		return fail_with(-EINVAL, "queue options: pool is none that brood_pool() gave");
	if (atomic_load(&b->refusing))
		return fail_stopped();
	r = queues_new(o.pool ? o.pool : b->pools, QUEUE_QUEUE, &l);
	if (r < 0)
		return fail_system(r, "a queue's memory and fds");
	if (o.jobs)
		l->jobs.limit = o.jobs;
	if (o.leases)
		l->leases.limit = MIN(o.leases, l->leases.limit);
	*ret = (struct brood_queue *)l;
	return 0;
}

void engine_queue_free(struct brood_queue *q)
{
	VISIT_VOID(queue_of(q)->brood);

	if (queue_of(q)->kind == QUEUE_QUEUE)
		queues_free(queue_of(q));
}

struct brood_queue *engine_own_queue(struct brood *b)
{
	VISIT_OR(b, NULL);

	return (struct brood_queue *)queues_own(b->pools);
}

int submit_dispatch_own(struct brood *b)
{
	int count = -1;

	for (uint32_t i = 0; i < b->pools_count; i++) {
		struct queue *l = atomic_load_explicit(&b->pools[i].own, memory_order_acquire);

		if (!l)
			continue;
		queue_lock(l);
		count = MAX(count, 0) + submit_dispatch(l);
		queue_unlock(l);
	}
	return count;
}
