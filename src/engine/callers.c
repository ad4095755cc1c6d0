/* SPDX-License-Identifier: MIT */
/*
 * callers.c - the lane of callers: threads that call, and have no lease of their own, share its
 * leases.
 *
 * Their jobs stand in one queue, first come first served, and go into the rings of its workers. The
 * worker that has done a job wakes the very thread that waits for it: each job in a ring has a word
 * there (wire/ring.h, `callers`) on which its thread sleeps. One thread leads, as in each lane
 * (sleep.c): it sleeps in the epoll, for deaths, time and the supervisor, and the worker rings the
 * bell for it. Nobody wakes all of them.
 *
 * A job may get into a ring, or out of it, while its thread sleeps. Then the sleeping thread is
 * moved to the other word; a thread that was only about to sleep finds that the old word has
 * changed.
 *
 * No thread sleeps for ever: when a lease ends, for whatever reason, all that sleep on its words
 * are woken. A worker whose memory is damaged may say that it woke somebody, and did not: so the
 * sleep has a bound.
 */
#include "lane.h"

#include "../os/futex.h"
#include <sys/epoll.h>

#define BELT_NS (NS_PER_S / 2) /* the longest sleep */
/* sleeping threads that are looked at for one that is about to come */
#define COMING_MAX 8

/* ---- where a thread sleeps ---- */

static _Atomic uint32_t *word_of(const struct lease *lease, uint64_t sequence)
{
	return &lease->up->callers[sequence % RING_DEPTH];
}

static _Atomic uint32_t *sleeps_on(struct sleeper *s) { return s->word ? s->word : &s->woken; }

/*
 * The worker has done it, or has passed it by. What it says of that may be nonsense: ring_harvest()
 * finds out.
 */
static bool is_done(const struct lease *lease, uint64_t sequence)
{
	uint64_t done = atomic_load(&lease->up->done);

	return done != 0 && done - lease->harvested >= sequence - lease->harvested;
}

/* It sleeps there from now on (NULL: on its own word), or has been woken. */
static void move(struct lane *l, struct sleeper *s, _Atomic uint32_t *to, uint64_t sequence)
{
	_Atomic uint32_t *from = sleeps_on(s);
	uint32_t left = s->word ? s->told : SLEEPER_MOVED;

	if (atomic_load_explicit(&s->woken, memory_order_relaxed) == SLEEPER_WOKEN) {
		s->word = NULL; /* it comes, and sees where its job is */
		return;
	}
	atomic_store(from, left);
	if (!to)
		atomic_store(&s->woken, SLEEPER_SLEEPS);
	s->word = to;
	s->asleep = to ? CALLER_WORD(sequence, CALLER_SLEEPS) : SLEEPER_SLEEPS;
	s->told = CALLER_WORD(sequence, CALLER_TOLD);
	if (futex_requeue(from, left, sleeps_on(s)) < 0)
		sleeper_rouse(l, s);
}

void caller_ringed(struct lease *lease, struct lane_job *job, uint64_t sequence)
{
	_Atomic uint32_t *word = word_of(lease, sequence);
	struct sleeper *s = job->sleeper;

	atomic_store(word,
		CALLER_WORD(sequence,
			!s                                 ? CALLER_NONE
				: s == lease->lane->leader ? CALLER_BELL
							   : CALLER_SLEEPS));
	if (s && s != lease->lane->leader)
		move(lease->lane, s, word, sequence);
}

/*
 * The worker will pass the entry by: the leader is told, for the worker may have nothing else to do
 * then.
 */
void caller_unringed(struct lease *lease, struct lane_job *job)
{
	struct sleeper *s = job->sleeper;

	if (s && s != lease->lane->leader)
		move(lease->lane, s, NULL, 0);
	atomic_store(word_of(lease, job->sequence), CALLER_WORD(job->sequence, CALLER_BELL));
	if (is_done(lease, job->sequence))
		lane_poke(lease->lane);
}

void caller_closed(struct lane *l, struct lane_job *job)
{
	struct sleeper *s = job->sleeper;

	if (s && s != l->leader && s->word && atomic_exchange(s->word, s->told) == s->told)
		return; /* its worker has woken it, or is about to */
	lane_wake(l, &job->sleeper);
}

void callers_left(struct lease *lease)
{
	const _Atomic uint32_t *from = lease->up->callers, *to = from + RING_DEPTH;

	list_for_each_safe(link, tmp, &lease->lane->followers) {
		struct sleeper *s = container_of(link, struct sleeper, link);

		if (s->word < from || s->word >= to)
			continue;
		sleeper_rouse(lease->lane, s);
		s->word = NULL; /* nobody shall look there any more */
	}
}

/*
 * The one that came last waits longest yet: the lead changes hands no sooner. NULL: a worker has
 * woken another one, who comes, and lets go of the lock after that.
 */
struct sleeper *caller_to_lead(struct lane *l)
{
	uint32_t seen = 0;

	list_for_each_safe(link, tmp, &l->followers) {
		struct sleeper *s = container_of(link, struct sleeper, link);

		if (s->word && atomic_load_explicit(s->word, memory_order_relaxed) == s->told)
			return NULL;
		if (++seen == COMING_MAX)
			break;
	}
	return container_of(l->followers.prev, struct sleeper, link);
}

/* ---- asleep ---- */

/* Says how this thread sleeps. False: its job is done. */
static bool arm(const struct lane_job *job, struct sleeper *s, enum caller_state how)
{
	const struct lease *lease = job->lease;

	if (job->state != JOB_RINGED || lease->damaged)
		return true;
	s->word = word_of(lease, job->sequence);
	s->told = CALLER_WORD(job->sequence, CALLER_TOLD);
	s->asleep = CALLER_WORD(job->sequence, how);
	atomic_store(s->word, s->asleep);
	return !is_done(lease, job->sequence);
}

static void wake_workers(struct desk **desks, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		atomic_fetch_add(&desks[i]->bell, 1);
		futex_wake(&desks[i]->bell, 1);
	}
}

/* To be woken without the lock: a worker that runs at once on this CPU shall not find it taken. */
static uint32_t take_workers(struct lane *l, struct desk **desks, uint32_t room)
{
	uint32_t count = 0;

	if (!l->wakes)
		return 0;
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state == LEASE_ASKED)
			continue;
		if (lease->said != lease->published)
			ring_say(lease);
		if (!lease->to_wake || count == room)
			continue;
		lease->to_wake = false;
		desks[count++] = lease->desk;
	}
	l->wakes = count == room;
	return count;
}

static void unlock_and_wake(struct lane *l)
{
	struct desk *desks[8];
	uint32_t count = take_workers(l, desks, ARRAY_SIZE(desks));

	if (l->wakes)
		lane_flush(l);
	lane_unlock(l);
	wake_workers(desks, count);
}

static void follow(struct lane *l, struct lane_job *job)
{
	_Atomic uint32_t *word;
	struct sleeper self;
	uint32_t asleep;

	sleeper_in(&self, &job->sleeper);
	if (arm(job, &self, CALLER_SLEEPS)) {
		list_append(&self.link, &l->followers);
		word = sleeps_on(&self);
		asleep = self.asleep;
		unlock_and_wake(l);
		futex_wait(word, asleep, now_ns() + BELT_NS);
		lane_lock(l);
		l->waking -= atomic_load_explicit(&self.woken, memory_order_relaxed) ==
			SLEEPER_WOKEN;
		list_remove(&self.link);
	}
	sleeper_out(&self);
}

static void lead(struct lane *l, struct lane_job *job)
{
	struct epoll_event events[LANE_EVENTS];
	struct sleeper self;
	int n = 0;

	sleeper_in(&self, &job->sleeper);
	if (!l->gone && arm(job, &self, CALLER_BELL))
		n = sleeper_lead(l, &self, events, 0, TIME_NEVER);
	sleeper_out(&self);
	lane_heard(l, events, n);
}

/* Who is woken takes what its own worker has done, and no more: the leader looks at the rest. */
void caller_sleep(struct lane *l, struct lane_job *job)
{
	if (l->gone || !l->leader) {
		lane_flush(l);
		lead(l, job);
		return;
	}
	follow(l, job);
	if (job->state == JOB_RINGED)
		ring_harvest(job->lease);
	lane_assign(l);
}

void callers_leave(struct lane *l) { unlock_and_wake(l); }
