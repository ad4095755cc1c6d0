/* SPDX-License-Identifier: MIT */
/*
 * pinned.c - pinned leases: a queue with one worker, kept until the worker dies, the lease's time
 * is up, or its owner ends it.
 */
#include "given.h"
#include "path.h"
#include "place.h"
#include "inbox_look.h"
#include "leasing.h"
#include "queue.h"
#include "queues.h"
#include "ring_out.h"
#include "engine_root.h"
#include "sleep.h"

#include "lease_state.h"
#include "../base/options.h"

#define LIMIT_DEFAULT_MS 60000
#define ANSWER_SLACK_MS  1000 /* the supervisor may answer this much later than it should */
/* how often engine_lease_end() looks whether all threads have left */
#define LEAVE_LOOK_NS 100000

static int fail_refused(const struct queue *l, uint32_t wait_ms)
{
	switch (l->leases.refused) {
	case BROOD_DETAIL_QUEUE_TIME:
		return fail_with(
			-ETIMEDOUT, "brood_lease: no worker was free within %u ms", wait_ms);
	case BROOD_DETAIL_DEGRADED:
		return fail_with(-EHOSTDOWN,
			"brood_lease: the pool is degraded, its workers die at birth: the log says "
			"how");
	case BROOD_DETAIL_CHANNEL: return fail_gone();
	default:
		return fail_with(-EAGAIN,
			"brood_lease: refused: the pool is stopping, or the worker's files did not "
			"arrive (a limit on open files)");
	}
}

/* Asks for the lease until `until`, should the supervisor have no room for the request now. */
static int ask(struct queue *l, const struct brood_lease_options *o, uint64_t until)
{
	int r;

	l->pinned.over = false;
	l->leases.refused = BROOD_DETAIL_QUEUE_TIME;
	while ((r = place_ask(l, o->limit_ms, o->wait_ms)) == -EAGAIN && now_ns() < until) {
		leasing_line_up(l);
		sleep_until(l, &l->sleep.lookers, now_ns() + QUEUE_TICK_MS * NS_PER_MS);
	}
	if (r == -EAGAIN)
		return fail_with(r,
			"brood_lease: as many jobs are out as the pool has room for (workers + "
			"backlog): wait for a verdict");
	if (r == -ENOTCONN)
		return fail_gone();
	if (r < 0)
		return r == -ESHUTDOWN ? fail_stopped()
				       : fail_system(r, "a lease's memory and fds");
	return 0;
}

/* The lease was granted and is over: its worker died before anybody had it. */
static bool died_too_soon(const struct queue *l)
{
	return l->leases.active == 0 && l->pinned.over && l->leases.refused == BROOD_DETAIL_NONE;
}

/* Obtains the one lease. Under the queue's lock. */
static int obtain(struct queue *l, const struct brood_lease_options *o)
{
	uint64_t until = time_after_ms(time_after_ms(now_ns(), o->wait_ms), ANSWER_SLACK_MS);
	int r;

	if (l->brood->run_here) {
		l->pinned.pid = getpid();
		l->pinned.generation = 1;
		return 0;
	}
	do {
		r = ask(l, o, until);
		if (r < 0)
			return r;
		while (l->leases.active == 0 && !l->pinned.over && now_ns() < until)
			sleep_until(l, &l->sleep.lookers, until);
	} while (died_too_soon(l) && now_ns() < until);
	if (l->leases.active == 0)
		return fail_refused(l, o->wait_ms);
	l->pinned.pid = l->pinned.lease->pid;
	l->pinned.slot = l->pinned.lease->slot;
	l->pinned.generation = l->pinned.lease->generation;
	return 0;
}

int engine_lease(
	struct brood *b, const struct brood_lease_options *options, struct brood_lease **ret)
{
	VISIT(b);
	struct brood_lease_options o;
	struct brood_pool *pool;
	struct queue *l;
	int r;

	r = given_options(&o, sizeof o, options, o.reserved, ARRAY_SIZE(o.reserved), "lease");
	if (r < 0)
		return r;
	if (o.pool && !given_pool_known(b, o.pool))
		return fail_with(-EINVAL, "lease options: pool is none that brood_pool() gave");
	if (atomic_load(&b->refusing))
		return fail_stopped();
	pool = o.pool ? o.pool : b->pools;
	o.wait_ms = o.wait_ms ? o.wait_ms : pool->options->queue_ms;
	o.limit_ms = o.limit_ms ? o.limit_ms : LIMIT_DEFAULT_MS;
	r = queues_new(pool, QUEUE_PINNED, &l);
	if (r < 0)
		return fail_system(r, "a lease's memory and fds");
	queue_lock(l);
	r = obtain(l, &o);
	queue_unlock(l);
	if (r < 0) {
		queues_free(l);
		return r;
	}
	*ret = (struct brood_lease *)l;
	return 0;
}

/*
 * Threads that waited for a handle are woken, and still come back through the queue: its memory and
 * fds stay until they have left.
 */
static void let_out(struct queue *l)
{
	const struct timespec pause = { .tv_nsec = LEAVE_LOOK_NS };

	while (!l->fds.gone &&
		(l->sleep.leader || l->sleep.waking > 0 || !list_empty(&l->sleep.followers))) {
		if (l->sleep.leader)
			inbox_poke(&l->inbox);
		queue_unlock(l);
		nanosleep(&pause, NULL);
		queue_lock(l);
	}
}

/* Waits until the last job has its verdict, for handles of the jobs may outlive the lease. */
void engine_lease_end(struct brood_lease *lease)
{
	struct queue *l = (struct queue *)lease;
	VISIT_VOID(l->brood);

	queue_lock(l);
	sleep_look(l);
	if (l->pinned.lease && l->pinned.lease->state == LEASE_ACTIVE)
		ring_out_all(l->pinned.lease);
	if (l->pinned.lease)
		leasing_end(l->pinned.lease);
	while (l->pinned.lease && !atomic_load(&l->brood->queues_ended))
		sleep_until(l, &l->sleep.lookers, TIME_NEVER);
	/* Jobs whose handles are open get their verdict before the queue goes. */
	if (atomic_load(&l->brood->queues_ended))
		sleep_look(l);
	let_out(l);
	queue_unlock(l);
	queues_free(l);
}

struct brood_queue *engine_lease_queue(struct brood_lease *lease)
{
	return (struct brood_queue *)lease;
}

int engine_lease_worker(
	struct brood_lease *lease, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation)
{
	struct queue *l = (struct queue *)lease;
	VISIT(l->brood);
	int r;

	queue_lock(l);
	inbox_look(l);
	if (ret_pid)
		*ret_pid = l->pinned.pid;
	if (ret_slot)
		*ret_slot = l->pinned.slot;
	if (ret_generation)
		*ret_generation = l->pinned.generation;
	r = l->pinned.over ? path_lease_over() : 0;
	queue_unlock(l);
	return r;
}
