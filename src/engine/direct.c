/* SPDX-License-Identifier: MIT */
/*
 * direct.c - call, open and give by way of a lease.
 *
 * A call waits on its thread's own lane. A thread that calls now and then hands its jobs off. A
 * thread that calls often asks for a lease when a worker is idle, waits for it, and its job goes
 * first there: the lease takes the worker that the job would have had, so a job that was handed off
 * would wait until the lease is taken back. What is opened or given goes by the brood's own lane,
 * to a worker that has nothing else to do, since nobody knows how long a conversation takes; when
 * there is none it is handed off, and then a lease is asked for if yet another worker is idle. Who
 * forces a lease waits for one.
 *
 * The trap: a worker may leave or die before it begins; then somebody in this process must give the
 * job to another, while its caller may be asleep on the job's socket, with no call of ours to do it
 * in. The supervisor is never asleep, so conversations are handed off, unless the program has an
 * event loop that dispatches (brood_fd() was called), or forces the lease.
 */
#include "lane.h"

#include <stdlib.h>
#include <sys/uio.h>

#define OFTEN          3 /* calls within a second: worth a lease */
#define OFTEN_NS       NS_PER_S
#define LENT_WITHIN_NS (5 * NS_PER_MS) /* an idle worker is lent in a tenth of a millisecond */
/* if the supervisor has no CPU: the job itself would wait as long */
#define LENT_LATE_NS NS_PER_S
#define ASK_PAUSE_NS (10 * NS_PER_MS) /* after a wish that was in vain */

/*
 * How often this thread has called of late. A lane has files open, so one that calls now and then
 * shall have none.
 */
static __thread struct {
	uint64_t since;
	uint32_t calls;
} habit;

static bool often(uint64_t now)
{
	if (now - habit.since > OFTEN_NS) {
		habit.calls = habit.calls >= OFTEN && now - habit.since < 2 * OFTEN_NS ? OFTEN : 0;
		habit.since = now;
	}
	return ++habit.calls >= OFTEN;
}

static struct lane *lane_for(struct brood *b, const struct given *given, bool call)
{
	bool frequent;

	if (given->options.lease)
		return (struct lane *)given->options.lease;
	if (!call)
		return lane_own(b);
	frequent = often(given->given_ns) || given->options.dispatch == BROOD_PATH_LEASE;
	return frequent || crowd_here(b, given->given_ns) ? crowd_lane(b, given->given_ns, frequent)
							  : NULL;
}

/* Idle, and no lease on its way will take it. */
static bool somebody_idle(const struct brood *b)
{
	const struct board *board = b->shared.board;
	uint32_t out = (uint32_t)atomic_load_explicit(&b->leases_out, memory_order_relaxed);
	uint32_t leased = atomic_load_explicit(&board->leased, memory_order_relaxed);

	return atomic_load_explicit(&board->idle, memory_order_relaxed) >
		(out > leased ? out - leased : 0);
}

/* A busy pool is better shared by handing jobs off, first come, first served. */
static uint32_t spare(const struct brood *b)
{
	const struct board *board = b->shared.board;

	return pick_spare(&(struct pick_pool){
		.idle = atomic_load_explicit(&board->idle, memory_order_relaxed),
		.leased = atomic_load_explicit(&board->leased, memory_order_relaxed),
		.library = atomic_load_explicit(&board->library, memory_order_relaxed),
		.out = (uint32_t)atomic_load_explicit(&b->leases_out, memory_order_relaxed),
		.limit = b->options.leases,
	});
}

static int fail_full(const struct lane *l)
{
	return engine_fail(-EAGAIN,
		"as many jobs wait for a worker as the pool has room for (backlog, %u): wait for a "
		"verdict, or raise options.backlog",
		l->brood->options.backlog);
}

static int lease_over(void)
{
	return engine_fail(-ESTALE,
		"this lease is over: its worker died, or its time was up; take another one");
}

static bool has_idle(struct lane *l) { return l->queued == 0 && lane_idle(l); }

/* LENT may wait in the channel, which nobody has read since. */
static bool was_lent(struct lane *l)
{
	if (l->asked > 0) {
		lane_hear_channel(l, false);
		lane_inbox(l);
	}
	return has_idle(l);
}

/* One for this lane, if as many workers are idle as are needed. */
static bool ask(struct lane *l, uint64_t now, uint32_t needed)
{
	return l->asked == 0 && l->active < l->leases_limit && often(now) && now >= l->ask_again &&
		spare(l->brood) >= needed &&
		loan_ask(l, BROOD_FOREVER, l->brood->options.queue_ms) == 0;
}

/*
 * The worker that was idle has another job: wishes, perhaps this one, wait in the supervisor's
 * queue.
 */
static bool wishes_wait(const struct brood *b)
{
	return atomic_load_explicit(&b->shared.board->queued, memory_order_relaxed) > 0;
}

/* The wish is taken back, for it would stand before the job in the supervisor's queue. */
static bool in_vain(struct lane *l, uint64_t now)
{
	loan_unask(l);
	l->ask_again = MAX(l->ask_again, now + ASK_PAUSE_NS);
	return false;
}

/* False: hand the job off. */
static bool wait_for_lease(struct lane *l)
{
	uint64_t now = now_ns(), begun = now;

	while (l->asked > 0 && !has_idle(l)) {
		if (now >= begun + LENT_LATE_NS ||
			(now >= begun + LENT_WITHIN_NS && wishes_wait(l->brood)))
			return in_vain(l, now);
		if (now >= begun + LENT_WITHIN_NS && spare(l->brood) > 0)
			return false; /* there is another worker for the job */
		lane_sleep_from(l, &l->lookers, now, now + LENT_WITHIN_NS);
		now = now_ns();
	}
	return has_idle(l) || in_vain(l, now);
}

/*
 * Under the lane's lock: 0, there is a lease that would take it now, or it may wait for one; 1:
 * hand it off; -ESTALE. The inbox comes first: the end of the lease may lie there.
 */
static int ready(struct lane *l, const struct given *given, bool call)
{
	bool forced = given->options.dispatch == BROOD_PATH_LEASE || l->kind == LANE_KEPT;

	lane_inbox(l);
	if (l->kept_over)
		return lease_over();
	if (l->kind == LANE_CALLERS)
		return !forced && somebody_idle(l->brood) &&
			l->active + l->asked >= l->leases_limit;
	if (l->kind == LANE_THREAD &&
		crowd_lacks(l->brood, l, somebody_idle(l->brood), given->given_ns))
		return 2;
	if (forced || has_idle(l) || was_lent(l))
		return 0;
	return call && ask(l, given->given_ns, 1) && wait_for_lease(l) ? 0 : 1;
}

/* ---- call ---- */

static void take_fds(const struct given *given, struct lane_job *job)
{
	const struct brood_job_options *o = &given->options;
	size_t count = job->result.fds_count, kept = o->ret_fds ? MIN(count, o->ret_fds_room) : 0;

	for (size_t i = 0; i < kept; i++) {
		o->ret_fds[i] = job->result.fds[i];
		job->result.fds[i] = -1;
	}
	if (o->ret_fds_count)
		*o->ret_fds_count = kept;
}

static ssize_t result(const struct lane_job *job, const struct engine_bytes *bytes)
{
	const struct brood_verdict *v = &job->result.verdict;
	int r = engine_fail_verdict(v);

	if (r < 0)
		return v->detail == BROOD_DETAIL_LEASE_OVER ? lease_over() : r;
	if (job->reply_lost)
		return engine_fail_system(-ENOMEM, "the reply of a call");
	if (job->result.reply_size > bytes->reply_size)
		return engine_fail(-EMSGSIZE,
			"job %llu %s: its reply has %zu bytes, the caller's buffer %zu: the first "
			"of them are there",
			(unsigned long long)v->id, v->name, job->result.reply_size,
			bytes->reply_size);
	return (ssize_t)job->result.reply_size;
}

static int call(struct lane *l, const struct given *given, const struct engine_bytes *bytes,
	struct lane_job *job)
{
	int r;

	job->waited = true;
	l->others_out++;
	r = lane_prepare(job, given, true);
	job->on_done = NULL;
	job->room = bytes->reply;
	job->room_size = bytes->reply_size;
	if (r >= 0)
		r = lane_give(l, job, given);
	if (r == -EAGAIN)
		return fail_full(l);
	if (r < 0)
		return engine_fail_system(r, "what a call needs");
	l->stats.submitted++;
	while (job->state != JOB_CLOSED) {
		if (l->kind == LANE_CALLERS)
			caller_sleep(l, job);
		else
			lane_sleep(l, &job->sleeper, TIME_NEVER);
		lane_tell_own(l, job);
	}
	lane_tell_own(l, job);
	lane_tell(l);
	return 0;
}

int direct_call(struct brood *b, const struct given *given, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict, ssize_t *ret_result)
{
	struct lane *l;
	struct lane_job *job = NULL;
	int r;

	if (given->options.dispatch == BROOD_PATH_HANDOFF && !given->options.lease)
		return 1;
	if (atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return engine_fail_stopped();
	l = lane_for(b, given, true);
	if (!l)
		return given->options.dispatch ? engine_fail_system(-ENOMEM, "a thread's lane") : 1;
	lane_lock(l);
	r = ready(l, given, true);
	if (r == 2) {
		lane_unlock(l);
		l = lane_callers(b);
		if (!l)
			return 1;
		lane_lock(l);
		r = ready(l, given, true);
	}
	if (r == 0 && (r = lane_order(l, given, &job)) < 0)
		r = engine_fail_system(r, "a job's record");
	if (r == 0) {
		if (given->options.ret_id)
			__atomic_store_n(given->options.ret_id, job->id, __ATOMIC_RELEASE);
		ret_verdict->id = job->id;
		r = call(l, given, bytes, job);
		if (r == 0) {
			take_fds(given, job);
			*ret_result = result(job, bytes);
			*ret_verdict = job->result.verdict;
		}
		lane_job_free(l, job);
	}
	if (l->kind == LANE_CALLERS)
		callers_leave(l);
	else
		lane_unlock(l);
	return r;
}

/* ---- open and give ---- */

static int give(
	struct lane *l, const struct given *given, struct brood_handle *handle, uint64_t *ret_id)
{
	struct lane_job *job;
	uint64_t id;
	int r = lane_order(l, given, &job);

	if (r < 0)
		return r == -EAGAIN ? r : engine_fail_system(r, "a job's record");
	id = job->id;
	if (given->options.ret_id)
		__atomic_store_n(given->options.ret_id, id, __ATOMIC_RELEASE);
	r = lane_prepare(job, given, false);
	if (r >= 0) {
		job->socket_job = true;
		l->others_out++;
		job->on_done = NULL;
		job->on_progress = NULL; /* nobody would tell it */
		job->socket = given->fd;
		job->own_pair = given->own_pair;
		job->alone = true;
		job->handle = handle;
		if (handle) {
			handle->id = handle->public_id = job->id;
			handle->lane = l;
			handle->lane_job = job;
			atomic_fetch_add(&l->refs, 1);
		}
		r = lane_give(l, job, given);
	}
	if (r < 0) {
		job->socket = -1; /* still the caller's */
		if (job->handle) {
			handle->lane = NULL;
			lane_put(l);
		}
		job->handle = NULL;
		lane_job_free(l, job);
		return r == -EAGAIN ? fail_full(l) : engine_fail_system(r, "what a job needs");
	}
	l->stats.submitted++;
	*ret_id = id;
	if (!lane_delivers(l))
		lane_flush(l);
	return 0;
}

int direct_give(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	struct lane_job *job;
	struct lane *l;
	uint64_t id = 0;
	int r;

	if (given->options.dispatch == BROOD_PATH_HANDOFF && !given->options.lease)
		return 1;
	if (!given->options.dispatch && !b->fd_used)
		return 1;
	if (atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return engine_fail_stopped();
	l = lane_for(b, given, false);
	if (!l)
		return given->options.dispatch ? -errno : 1;
	lane_lock(l);
	lane_glance(l);
	r = ready(l, given, false);
	if (r == 0)
		r = give(l, given, handle, &id);
	/*
	 * Forced, and there is no lease at all yet: bounded by the supervisor's answer, and by the
	 * job's queue_ms.
	 */
	while (r == 0 && l->active == 0 && (job = lane_find(l, id)) && job->state == JOB_WAITING &&
		l->kind != LANE_KEPT)
		lane_sleep(l, &l->lookers, TIME_NEVER);
	lane_tell(l);
	lane_unlock(l);
	return r;
}

/*
 * The job was handed off. It has one of the workers that are idle, or will: the lease gets another.
 */
void direct_given(struct brood *b, const struct given *given)
{
	struct lane *l = atomic_load_explicit(&b->own, memory_order_acquire);

	if (given->options.dispatch || given->options.lease || !l || !b->fd_used)
		return;
	lane_lock(l);
	if (!lane_idle(l))
		ask(l, given->given_ns, 2);
	lane_unlock(l);
}

/* ---- handles whose job is on a lease ---- */

int direct_wait(struct brood_handle *h, uint64_t until)
{
	struct lane *l = h->lane;
	bool closed;

	if (atomic_load_explicit(&h->lane_closed, memory_order_acquire))
		return 0;
	lane_lock(l);
	while (!(closed = atomic_load_explicit(&h->lane_closed, memory_order_acquire))) {
		if (until != TIME_NEVER && now_ns() >= until) {
			lane_look(l);
			closed = atomic_load_explicit(&h->lane_closed, memory_order_acquire);
			break;
		}
		lane_sleep(l, &h->lane_sleepers, until);
	}
	l->handle_news -= closed && l->handle_news > 0; /* it is told now */
	lane_tell(l);
	lane_unlock(l);
	return closed ? 0 : -ETIMEDOUT;
}

void direct_release(struct brood_handle *h)
{
	struct lane *l = h->lane;

	if (!atomic_load_explicit(&h->lane_closed, memory_order_acquire)) {
		lane_lock(l);
		if (h->lane_job)
			/* its verdict will be dropped, and counted */
			h->lane_job->handle = NULL;
		lane_unlock(l);
	}
	lane_put(l);
}

/* ---- cancel ---- */

struct wish {
	uint64_t id;
	bool found;
};

static void cancel_job(struct lane *l, struct lane_job *job)
{
	struct brood_verdict v = { .outcome = BROOD_CANCELLED };

	job->cancelled = true;
	switch (job->state) {
	case JOB_RINGED:
		if (ring_withdraw(job->lease, job) < 0) {
			loan_kill(job->lease, job->sequence, LEASE_KILL_CANCEL);
			return;
		}
		break;
	case JOB_STREAMED: stream_cancel(l, job); return;
	default: break;
	}
	v.queue_us = (now_ns() - job->given_ns) / NS_PER_US;
	lane_close(l, job, &v);
	lane_tell(l);
}

static void cancel_in(struct lane *l, void *context)
{
	struct wish *wish = context;
	struct lane_job *job = wish->found ? NULL : lane_find(l, wish->id);

	if (!job || job->state == JOB_CLOSED || job->state == JOB_NEW)
		return;
	wish->found = true;
	cancel_job(l, job);
}

int direct_cancel(struct brood *b, uint64_t id)
{
	struct wish wish = { .id = id };

	lanes_each(b, cancel_in, &wish);
	return wish.found ? 0 : -ENOENT;
}
