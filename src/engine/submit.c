/* SPDX-License-Identifier: MIT */
/*
 * submit.c - queues: a job in, an id at once, its result later. A brood_queue is a lane (lane.h);
 * here are its public calls.
 */
#include "lane.h"
#include "pipe.h"

#include "behind.h"

#include "../base/options.h"
#include "../os/shm.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/uio.h>

#define QUEUE_JOBS_MAX  65536u
#define DISPATCH_ROUNDS 16

static struct lane *lane_of(struct brood_queue *q) { return (struct lane *)q; }

/* ---- giving ---- */

static int fail_full(const struct lane *l)
{
	return engine_fail(-EAGAIN,
		"%zu jobs of this queue are out, as many as it has room for: dispatch or take, "
		"then again, or make queues with more (options.jobs)",
		l->jobs_limit);
}

/* What is too large for a ring goes to the worker as a file of its own. */
static int make_memfd(struct lane_job *job, const struct given *given)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int fd = shm_memfd("brood-request", NULL, (size_t)given->request_size, NULL);
	off_t at = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < given->request_count; i++) {
		const char *from = given->request[i].iov_base;
		size_t left = given->request[i].iov_len;

		while (left > 0) {
			ssize_t n = pwrite(fd, from, left, at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				n = n < 0 ? -errno : -EIO;
				close_fd(fd);
				return (int)n;
			}
			from += n;
			at += n;
			left -= (size_t)n;
		}
	}
	if (fcntl(fd, F_ADD_SEALS, seals) < 0) {
		int r = -errno;

		close_fd(fd);
		return r;
	}
	job->memfd = fd;
	return 0;
}

static int keep_extra(struct lane_job *job, const struct given *given)
{
	job->extra = calloc(1, sizeof *job->extra);
	if (!job->extra)
		return -ENOMEM;
	for (uint32_t i = 0; i < given->options.fds_count; i++) {
		int fd = fds_dup_above(given->options.fds[i], 3);

		if (fd < 0)
			return fd;
		job->extra->fds[job->extra->count++] = fd;
	}
	job->alone = true; /* see side.c */
	return 0;
}

/* All that may fail, but for the way to a worker. */
int lane_prepare(struct lane_job *job, const struct given *given, bool ring)
{
	int r = 0;

	job->reply_lost = false;
	job->result.reply = NULL;
	job->result.reply_size = 0;
	job->socket_job = false;
	if (given->options.fds_count)
		r = keep_extra(job, given);
	if (r >= 0 && ring && given->request_size > RING_INLINE_MAX &&
		given->request_size != BROOD_SIZE_UNKNOWN)
		r = job->waited ? pipe_order(job, given) : make_memfd(job, given);
	return r;
}

/*
 * Into a ring now, or to wait, with all that it needs. 0 or -errno: then it is the caller's to
 * free.
 */
int lane_give(struct lane *l, struct lane_job *job, const struct given *given)
{
	int r;

	if (l->queued == 0 && lane_place(l, job, given)) {
		behind_watch(l); /* it may stand behind one that takes long */
		return 0;
	}
	if ((job->waited || job->socket_job) && l->kind != LANE_KEPT) {
		job->in_backlog = true;
		if (atomic_fetch_add(&l->brood->lanes_waiting, 1) >= l->brood->options.backlog)
			return -EAGAIN; /* freeing the job counts it off again */
	}
	r = lane_job_keep(job, given);
	if (r < 0)
		return r;
	lane_wait_for(l, job, false);
	lane_assign(l);
	behind_watch(l);
	return 0;
}

static int submit(struct lane *l, const struct given *given, uint64_t *ret_id)
{
	bool handoff = given->options.dispatch == BROOD_PATH_HANDOFF && l->kind != LANE_KEPT;
	struct lane_job *job;
	uint64_t id;
	int r;

	if (l->kind == LANE_KEPT)
		lane_inbox(l); /* its end may lie there */
	if (l->kept_over)
		return engine_fail(-ESTALE,
			"this lease is over: its worker died, or its time was up; take another "
			"one");
	r = lane_order(l, given, &job);
	if (r < 0)
		return r == -EAGAIN ? fail_full(l) : engine_fail_system(r, "a job's record");
	id = job->id;
	if (given->options.ret_id && !handoff)
		__atomic_store_n(given->options.ret_id, id, __ATOMIC_RELEASE);
	r = lane_prepare(job, given, !handoff);
	if (r >= 0 && handoff)
		r = lane_job_keep(job, given);
	if (r < 0) {
		r = engine_fail_system(r, "what a job needs");
	} else if (handoff) {
		r = stream_begin(l, job, given->options.ret_id);
		id = job->id;
	} else if ((r = lane_give(l, job, given)) < 0) {
		r = engine_fail_system(r, "memory for a job's request");
	}
	if (r < 0) {
		lane_job_free(l, job);
		return r;
	}
	l->stats.submitted++;
	if (ret_id)
		*ret_id = id;
	if (!(given->options.flags & BROOD_JOB_MORE) && !lane_delivers(l))
		lane_flush(l);
	return 0;
}

int engine_submit(struct brood *b, const struct engine_job *job, const struct iovec *request,
	size_t count, uint64_t *ret_id)
{
	VISIT(visit);
	struct given given;
	struct lane *l;
	int r = visit_begin(&visit, b);

	if (r < 0 || (r = job_check(b, job, b->submit_queue_ms, &given)) < 0 ||
		(r = job_request(&given, request, count)) < 0)
		return r;
	if (atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return engine_fail_stopped();
	if (given.options.lease)
		l = (struct lane *)given.options.lease;
	else
		l = given.options.queue ? lane_of(given.options.queue) : lane_own(b);
	if (!l)
		return -errno;
	lane_lock(l);
	r = atomic_load_explicit(&b->lanes_over, memory_order_relaxed) ? engine_fail_gone()
								       : submit(l, &given, ret_id);
	lane_unlock(l);
	return r == -EAGAIN ? job_refused(b, r) : r;
}

/* ---- taking ---- */

static void forget_taken(struct lane *l)
{
	list_for_each_safe(link, tmp, &l->taken)
		lane_job_free(l, container_of(link, struct lane_job, link));
	l->taken_count = 0;
}

static int gone(const struct lane *l, int count)
{
	if (count == 0 && atomic_load_explicit(&l->brood->lanes_over, memory_order_relaxed) &&
		l->brood->lost)
		return engine_fail_gone();
	return count;
}

int engine_queue_fd(struct brood_queue *q)
{
	VISIT(visit);
	struct lane *l = lane_of(q);
	int r = visit_begin(&visit, l->brood);

	if (r < 0)
		return r;
	lane_lock(l);
	if (!l->polled) {
		l->polled = true;
		lane_tell(l);
	}
	r = l->epoll_fd;
	lane_unlock(l);
	return r >= 0 ? r : l->brood->stopped ? engine_fail_stopped() : engine_fail_gone();
}

/*
 * What callbacks submit may be done before they are back: looked at a few times, since to be told
 * of it, and to come again for it, is dearer.
 */
int lane_dispatch(struct lane *l)
{
	int count;

	forget_taken(l);
	lane_quiet(l);
	l->delivering_next = true;
	lane_look(l);
	l->delivering_next = false;
	count = (int)MIN(l->handle_news, (uint32_t)INT16_MAX);
	count += lane_deliver(l);
	for (int round = 0; round < DISPATCH_ROUNDS && l->polled && lane_listening(l); round++) {
		lane_quiet(l);
		lane_glance(l);
		count += lane_deliver(l);
	}
	lane_listen(l);
	return count;
}

int engine_queue_dispatch(struct brood_queue *q)
{
	VISIT(visit);
	struct lane *l = lane_of(q);
	int r = visit_begin(&visit, l->brood);

	if (r < 0)
		return r;
	lane_lock(l);
	r = gone(l, lane_dispatch(l));
	lane_unlock(l);
	return r;
}

static int wait_for_results(struct lane *l, uint32_t timeout_ms)
{
	uint64_t until = 0, now;

	for (;;) {
		int count = lane_deliver(l);

		if (count > 0 || l->results_count > 0)
			return MAX(count, (int)MIN(l->results_count, (size_t)INT_MAX));
		if (l->jobs_out == l->taken_count + l->others_out)
			return 0;
		now = timeout_ms == BROOD_FOREVER ? 0 : now_ns();
		if (until == 0)
			until = time_after_ms(now, timeout_ms);
		else if (now >= until)
			return engine_fail(-ETIMEDOUT,
				"brood_queue_wait: no result came in time; %zu jobs are out",
				l->jobs_out - l->taken_count - l->others_out);
		lane_sleep_from(l, &l->takers, now, until);
	}
}

int engine_queue_wait(struct brood_queue *q, uint32_t timeout_ms)
{
	VISIT(visit);
	struct lane *l = lane_of(q);
	int r = visit_begin(&visit, l->brood);

	if (r < 0)
		return r;
	lane_lock(l);
	forget_taken(l);
	lane_glance(l);
	r = wait_for_results(l, timeout_ms);
	lane_listen(l);
	lane_unlock(l);
	return r == 0 ? gone(l, 0) : r;
}

int engine_take(struct brood_queue *q, const struct brood_result **ret, size_t room)
{
	VISIT(visit);
	struct lane *l = lane_of(q);
	int r = visit_begin(&visit, l->brood), count = 0;

	if (r < 0)
		return r;
	lane_lock(l);
	forget_taken(l);
	l->taking = true;
	if (l->results_count < room)
		lane_glance(l);
	if (l->results_count == 0)
		lane_look(l);
	l->taking = false;
	lane_deliver(l);
	while ((size_t)count < room && count < INT_MAX && !list_empty(&l->results)) {
		struct lane_job *job = container_of(list_first(&l->results), struct lane_job, link);

		list_remove(&job->link);
		l->results_count--;
		list_append(&job->link, &l->taken);
		l->taken_count++;
		ret[count++] = &job->result;
	}
	if (l->results_count > 0)
		lane_wake_one(l, &l->takers);
	else if (l->jobs_out == l->taken_count + l->others_out)
		lane_wake(l, &l->takers); /* who waits for results waits for nothing */
	lane_listen(l);
	lane_unlock(l);
	return count;
}

size_t engine_queue_out(struct brood_queue *q)
{
	struct lane *l = lane_of(q);
	size_t out;

	lane_lock(l);
	out = l->jobs_out - l->taken_count - l->others_out;
	lane_unlock(l);
	return out;
}

/* ---- queues ---- */

int engine_queue_new(
	struct brood *b, const struct brood_queue_options *options, struct brood_queue **ret)
{
	VISIT(visit);
	struct brood_queue_options o;
	struct lane *l;
	int r = visit_begin(&visit, b);

	if (r < 0)
		return r;
	r = options_copy(&o, sizeof o, options, sizeof o);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(o.reserved); i++)
		r = o.reserved[i] ? -EINVAL : 0;
	if (r < 0)
		return engine_fail(r,
			"queue options: size is wrong, or reserved is not zero: use { .size = "
			"sizeof options }");
	if (o.jobs > QUEUE_JOBS_MAX)
		return engine_fail(
			-EINVAL, "queue options: jobs is %u: at most %u", o.jobs, QUEUE_JOBS_MAX);
	if (atomic_load(&b->refusing))
		return engine_fail_stopped();
	r = lane_new(b, LANE_QUEUE, &l);
	if (r < 0)
		return engine_fail_system(r, "a queue's memory and fds");
	if (o.jobs)
		l->jobs_limit = o.jobs;
	if (o.leases)
		l->leases_limit = MIN(o.leases, l->leases_limit);
	*ret = (struct brood_queue *)l;
	return 0;
}

void engine_queue_free(struct brood_queue *q)
{
	VISIT(visit);

	if (visit_begin(&visit, lane_of(q)->brood) < 0 || lane_of(q)->kind != LANE_QUEUE)
		return;
	lane_free(lane_of(q));
}

struct brood_queue *engine_own_queue(struct brood *b)
{
	VISIT(visit);

	return visit_begin(&visit, b) < 0 ? NULL : (struct brood_queue *)lane_own(b);
}
