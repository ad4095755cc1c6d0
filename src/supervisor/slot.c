/* SPDX-License-Identifier: MIT */
/*
 * slot.c - the only file that changes a slot's state, its timer and its job.
 *
 *   EMPTY     no process. The spawner is asked for a worker: ORDERED. Born: STARTING
 *   ORDERED   no process that the supervisor knows. Born: STARTING. Not born: EMPTY
 *   STARTING  worker_init runs. Ready: IDLE
 *   IDLE      waits for a job or a lease: BUSY, LEASED
 *   BUSY      has a job; over: IDLE
 *   LEASED    the engine has the worker on a lease; over: IDLE
 *   ENDING    ends by itself, or was killed. Has ended: EMPTY, or SPARE if the pool shrinks. Does
 *             not end: UNDEAD
 *   UNDEAD    its process was killed and does not end. The place is not used until the process has
 *             ended, and a sweep has found no stray: then EMPTY, or SPARE if another place is in
 *             use for it
 *   SPARE     out of use: the pool needs no more workers. The pool grows, or another place is
 *             undead: EMPTY
 *
 * Any state with a process may become ENDING. Whoever moves a slot need not do what follows from
 * the move: move() sets notes (root.h), and notes.c acts on them.
 */
#include "slot.h"

#define UNDEAD_AFTER_NS NS_PER_S
#define UNDEAD_LOOK_MS  200u /* how often a timer looks for the end of a worker without a pidfd */

uint32_t slot_mark(const struct slot *slot)
{
	uint32_t generation = slot->generation & (UINT32_MAX >> SLOT_MARK_BITS);

	return (generation ? generation : 1) << SLOT_MARK_BITS | slot->number;
}

bool slot_noticed(const struct slot *slot, uint64_t sequence)
{
	return atomic_load(&slot_page(slot)->noticed) == sequence;
}

void slot_touch(struct slot *slot)
{
	if (list_empty(&slot->status.touched))
		list_append(&slot->status.touched, &slot->pool->supervisor->touched);
}

/* ---- whether the worker is due ---- */

static void count_if(bool *counted, bool counts, uint32_t *counter)
{
	*counter = *counter + counts - *counted;
	*counted = counts;
}

/* Workers on pinned leases do not count as due: nobody knows when their leases end. */
void slot_recount(struct slot *slot)
{
	struct slot_renewal *own = &slot->renewal;
	struct renewals *all = &slot->pool->renewals;
	enum slot_state state = slot->link.state;
	bool leased = state == SLOT_LEASED, ready = state >= SLOT_IDLE && state <= SLOT_LEASED;
	bool was_due = own->due, was_old = own->old;

	if (!own->cause && !was_due && !was_old && !own->recalled && own->epoch == all->epoch)
		return;
	count_if(&own->due,
		ready && own->cause && !(leased && slot->job && record_is_pinned(slot->job)),
		&all->due);
	count_if(&own->old,
		(ready || state == SLOT_STARTING || state == SLOT_ORDERED) &&
			own->epoch != all->epoch,
		&all->old);
	own->recalled = own->recalled && leased;
	if (!own->due || !leased)
		list_remove(&own->leased);
	else if (!own->recalled && list_empty(&own->leased))
		list_append(&own->leased, &all->leased);
	if (own->due != was_due || own->old != was_old)
		note_pool(slot->pool, NOTE_RENEW);
}

void slot_make_due(struct slot *slot, enum retire_cause cause)
{
	slot->renewal.cause = cause;
	slot_recount(slot);
	slot_touch(slot);
	/* Due workers become the coldest of the idle ones: renew.c looks at the coldest alone. */
	if (slot->link.state == SLOT_IDLE && cause)
		slots_cool(&slot->pool->slots, &slot->link);
	else if (slot->link.state == SLOT_IDLE)
		slots_warm(&slot->pool->slots, &slot->link);
	/* A pool that may shrink ends a due worker, and no replacement is born. */
	note_pool(slot->pool, NOTE_SIZE);
}

void slot_note_recall(struct slot *slot)
{
	struct slot_renewal *own = &slot->renewal;

	if (!own->recalled)
		own->recalled_ns = now_ns();
	own->recalled = true;
	list_remove(&own->leased);
	if (own->due)
		list_append(&own->leased, &slot->pool->renewals.recalled);
}

void slot_set_extra(struct pool *pool, uint32_t extra)
{
	struct slot_link *l;

	if (extra < pool->renewals.extra)
		note_pool(pool, NOTE_SIZE); /* a place with a ready worker may be too many now */
	pool->renewals.extra = extra;
	while (slots_working(&pool->slots) < pool_places(pool) &&
		(l = slots_first(&pool->slots, SLOT_SPARE)))
		slot_use(container_of(l, struct slot, link));
	while (slots_working(&pool->slots) > pool_places(pool) &&
		(l = slots_first(&pool->slots, SLOT_EMPTY)))
		slot_put_aside(container_of(l, struct slot, link));
}

/* ---- the slot's state ---- */

static void move(struct slot *slot, enum slot_state to)
{
	struct pool *pool = slot->pool;
	enum slot_state from = slot->link.state;
	uint32_t notes = NOTE_GAUGES | NOTE_SIZE | NOTE_STOP;

	if (from == SLOT_STARTING || from == SLOT_ORDERED || to == SLOT_UNDEAD)
		notes |= NOTE_POOL | NOTE_RENEW;
	if (to == SLOT_EMPTY || to == SLOT_UNDEAD)
		notes |= NOTE_BIRTH | NOTE_RENEW;
	if (to == SLOT_SPARE)
		notes |= NOTE_RENEW;
	if (from == SLOT_LEASED || to == SLOT_IDLE || to == SLOT_EMPTY || to == SLOT_UNDEAD)
		notes |= NOTE_QUEUE;
	slot->status.since_ns = now_ns();
	if (from == SLOT_ENDING && slot->end.was_idle) {
		pool->renewals.ending--;
		slot->end.was_idle = false;
	}
	if (to == SLOT_UNDEAD)
		slots_undead(&pool->slots, &slot->link);
	else
		slots_move(&pool->slots, &slot->link, to);
	slot_recount(slot);
	if (to == SLOT_IDLE && slot->renewal.cause)
		slots_cool(&pool->slots, &slot->link);
	if (to == SLOT_SPARE)
		slot->status.died_ns = 0; /* no worker replaces the last one in this place */
	slot_touch(slot);
	note_pool(pool, notes);
}

void slot_make_ordered(struct slot *slot) { move(slot, SLOT_ORDERED); }

void slot_make_starting(struct slot *slot) { move(slot, SLOT_STARTING); }

void slot_make_ready(struct slot *slot)
{
	timer_stop(&slot->pool->supervisor->loop, &slot->timer);
	slot->pool->ever_ready += !slot->was_ready;
	slot->was_ready = true;
	move(slot, SLOT_IDLE);
}

void slot_make_idle(struct slot *slot)
{
	if (slot->end.dead || slot->facts.kill_signal == SIGKILL || slot->link.state == SLOT_ENDING)
		slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
	else
		move(slot, SLOT_IDLE);
}

void slot_end(struct slot *slot, uint64_t kill_at)
{
	struct loop *loop = &slot->pool->supervisor->loop;

	if (slot->link.state == SLOT_UNDEAD) {
		kill_at = time_after_ms(now_ns(), UNDEAD_LOOK_MS);
	} else {
		if (slot->link.state != SLOT_ENDING)
			move(slot, SLOT_ENDING);
		list_remove(&slot->lease.list);
		timer_stop(loop, &slot->timer);
	}
	timer_set(loop, &slot->end_timer, kill_at);
}

void slot_make_undead(struct slot *slot)
{
	struct loop *loop = &slot->pool->supervisor->loop;

	slot_end(slot, TIME_NEVER);
	timer_stop(loop, &slot->eof_timer);
	/*
	 * This place counts in ever_ready no more: the spare place that takes over counts once it
	 * has had a ready worker.
	 */
	slot->pool->ever_ready -= slot->was_ready;
	slot->was_ready = false;
	move(slot, SLOT_UNDEAD);
}

void slot_make_empty(struct slot *slot)
{
	struct pool *pool = slot->pool;

	move(slot, SLOT_EMPTY);
	if (slots_working(&pool->slots) > pool_places(pool))
		move(slot, SLOT_SPARE);
}

void slot_use(struct slot *slot) { move(slot, SLOT_EMPTY); }

void slot_put_aside(struct slot *slot) { move(slot, SLOT_SPARE); }

void slot_dismiss(struct slot *slot, const char *reason)
{
	struct frame f;

	frame_begin(&f, MESSAGE_END);
	slot->end.was_idle = slot->link.state == SLOT_IDLE;
	slot->pool->renewals.ending += slot->end.was_idle;
	slot->end.reason = reason;
	if (slot->paused || frame_send(slot->channel.fd, &f) < 0)
		slot_kill(slot, SIGKILL, reason);
	slot_end(slot, time_after_ms(now_ns(), slot->pool->options->stop_ms));
}

void slot_revive(struct slot *slot)
{
	slots_revive(&slot->pool->slots, &slot->link, pool_places(slot->pool));
	note_pool(slot->pool, NOTE_GAUGES | NOTE_SIZE | NOTE_POOL | NOTE_BIRTH | NOTE_STOP);
}

/* ---- the slot's job ---- */

void slot_take_job(struct slot *slot, struct job *job)
{
	struct pool *pool = slot->pool;

	job->slot = slot;
	slot->job = job;
	slot->facts.condemned = slot->facts.stuck = false;
	slot->facts.escaped = 0;
	move(slot, job->is_lease ? SLOT_LEASED : SLOT_BUSY);
	if (job->is_lease && !record_is_pinned(job)) {
		list_append(&slot->lease.list, &pool->leases.granted);
		pool->leases.library++;
	}
}

void slot_cut_job(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;
	struct job *job = slot->job;

	timer_stop(&s->loop, &slot->timer);
	list_remove(&slot->lease.list);
	if (job->is_lease) {
		slot->pool->leases.library -= !record_is_pinned(job);
		slot->lease.watch.leaving = slot->lease.recall_unsent = false;
		note_pool(slot->pool, NOTE_GAUGES | NOTE_QUEUE);
	}
	slot->job = NULL;
	job->slot = NULL;
	slot_touch(slot);
}

void slot_set_timer(struct slot *slot, timer_fn *on, uint64_t when)
{
	slot->timer.on = on;
	timer_set(&slot->pool->supervisor->loop, &slot->timer, when);
}

/* ---- the slot's process ---- */

void slot_open_channel(struct slot *slot, int fd)
{
	struct supervisor *s = slot->pool->supervisor;

	slot->paused = loop_add(&s->loop, &slot->channel, fd, EPOLLIN, slot->channel.on) < 0;
	slot->channel.fd = fd; /* set also if the loop cannot watch the channel now */
	if (slot->paused)
		note(s, NOTE_RETRY);
}

void slot_close_channel(struct slot *slot)
{
	int fd = slot->channel.fd;

	loop_remove(&slot->pool->supervisor->loop, &slot->channel);
	closing_pair_end(fd);
	slot->channel.fd = -1; /* loop_remove() resets only an fd that it watched */
	slot->channel_ended = true;
	slot->paused = false;
}

/* SIGKILL was sent. A process that has not ended after UNDEAD_AFTER_NS makes its slot UNDEAD. */
static void expect_end(struct slot *slot)
{
	uint64_t now = now_ns();

	if (slot->link.state == SLOT_UNDEAD || timer_running(&slot->undead_timer))
		return;
	slot->killed_ns = now;
	timer_set(&slot->pool->supervisor->loop, &slot->undead_timer, now + UNDEAD_AFTER_NS);
}

void slot_kill(struct slot *slot, int sig, const char *reason)
{
	if (slot->pid <= 0)
		return;
	if (reason)
		slot->end.reason = reason;
	if (slot->facts.kill_signal == 0)
		count_one(&slot->pool->stats_page->killed);
	if (slot->facts.kill_signal != SIGKILL)
		slot->facts.kill_signal = sig;
	slot_touch(slot);
	process_signal(slot->pidfd, slot->pid, sig);
	if (sig != SIGKILL)
		return;
	/* a child of the job may trace the worker, and so keep it from ending: kill the group */
	process_kill_group(slot->pid);
	expect_end(slot);
}

void slot_drop(struct slot *slot, const char *what)
{
	if (slot->facts.protocol)
		return;
	slot->facts.protocol = true;
	slot_log(slot, BROOD_ERR, BROOD_EVENT_PROTOCOL,
		"worker %u (pid %d) %s; it is killed and replaced", slot->number, slot->pid, what);
	slot_kill(slot, SIGKILL, what);
	slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
}
