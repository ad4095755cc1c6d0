/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - threads that wait for something of a queue.
 *
 * One thread leads: it sleeps in the queue's epoll, and looks for all. The others follow: each
 * sleeps on a word of its own, and is woken when the thing that it waits for has come; or to lead,
 * when the leader has what it wanted. So a wake-up touches only the thread that it is for, however
 * many sleep. (All threads in the epoll would do, but the epoll wakes the one that fell asleep
 * last: two threads could pass a third one's event to each other for ever.)
 *
 * A poke of the queue's wake_fd stands until the leader is back. If another thread that looks
 * meanwhile took the poke away, the leader might find nothing and sleep on. For a program that
 * polls the queue's fd the poke stands until the program has dispatched.
 *
 * What has happened is looked at in one function (settle) in one order. Looking costs no system
 * call when completions can be seen in memory; the epoll is asked when none can, and every so often
 * all the same.
 *
 * Sleeping in the epoll follows wire/ring.h: say that somebody listens, look once more, sleep.
 *
 * A look at the memory of thousands of leases would cost a job more than all else. So a queue with
 * many leases listens all the time, and each completion is told by its lease's done fd: the epoll
 * says where to look. Many leases mean long jobs: short jobs need few leases.
 *
 * Threads that call, and have no lease of their own, share the leases of the callers' queue. Their
 * jobs stand in one queue, first come first served, and go into the rings of its workers. The
 * worker wakes the very thread that waits for the job (caller.c); the leader sleeps in the epoll,
 * for deaths, time and the supervisor. No thread sleeps for ever: when a lease ends, all threads
 * that sleep on its words are woken. A worker whose memory is damaged may say that it woke a
 * thread, and did not: so the sleep has a bound.
 */
#include "sleep.h"

#include "caller.h"
#include "behind.h"
#include "collect.h"
#include "inbox_look.h"
#include "leasing.h"
#include "lease_state.h"
#include "place.h"
#include "pump.h"
#include "ring_in.h"
#include "spinning.h"
#include "engine_root.h"

#include "../os/futex.h"
#include <sys/epoll.h>

#define BELT_NS             (NS_PER_S / 2) /* the longest time a thread sleeps */
#define LOOKS_WITHOUT_EPOLL 64
#define TELL_FROM           128 /* so many leases are too many to look at each time */
#define TELL_UNTIL          64  /* with so few, each look is at all leases again */

bool sleep_listen(struct queue *l)
{
	if (l->sleep.all_tell)
		return false;
	atomic_store(&l->fds.page->listening, 1);
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);
		uint64_t done;

		if (lease->state == LEASE_ASKED || lease->published == lease->collected ||
			lease->damaged)
			continue;
		done = atomic_load(&lease->up->done);
		if (done != lease->collected && done != 0)
			return true;
	}
	return false;
}

void sleep_quiet(struct queue *l)
{
	if (!l->sleep.leader && !l->sleep.all_tell &&
		atomic_load_explicit(&l->fds.page->listening, memory_order_relaxed))
		atomic_store_explicit(&l->fds.page->listening, 0, memory_order_relaxed);
}

void sleep_listen_polled(struct queue *l)
{
	if (l->sleep.polled && sleep_listen(l))
		inbox_poke(&l->inbox);
	else if (l->brood->run_here && !l->sleep.leader && !queue_has_news(l))
		fds_unpoke(l->inbox.wake_fd); /* workers say nothing more */
}

void sleep_tell(struct queue *l)
{
	if (l->sleep.polled && (queue_has_news(l) || sleep_listen(l)))
		inbox_poke(&l->inbox);
}

/*
 * The callers' queue never counts as one with many leases: no done fd tells of its jobs, since
 * callers sleep on words of their own.
 */
static bool has_many(const struct queue *l)
{
	return l->kind != QUEUE_CALLERS && !l->fds.gone &&
		l->leases.active >= (l->sleep.all_tell ? TELL_UNTIL : TELL_FROM);
}

/*
 * Looks at the rings of all leases, even if all jobs were withdrawn (ringed is 0): a worker is idle
 * only once it has passed their entries by. When workers begin to tell, `listening` is set before
 * the last such look: so each completion is seen or told.
 */
static void scan(struct queue *l)
{
	bool told = l->sleep.all_tell;

	l->sleep.all_tell = has_many(l);
	if (told && l->sleep.all_tell)
		return;
	if (l->sleep.all_tell)
		atomic_store(&l->fds.page->listening, 1);
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ASKED && lease->published != lease->collected)
			collect_told(lease);
	}
}

/*
 * True: no frame waits to be sent, and no job waits or stands behind one that may take long. Then
 * behind_watch() has nothing to do.
 */
static bool flows(const struct queue *l)
{
	return !l->timer.fired && l->timer.kept_due >= l->timer.at && l->kind != QUEUE_PINNED &&
		l->waiting.count == 0 && l->leases.ringed <= l->leases.busy && !l->leases.unsaid &&
		!atomic_load_explicit(&l->brood->unsent, memory_order_relaxed);
}

/* Puts the queue in order after whatever happened. */
static void settle(struct queue *l)
{
	if (atomic_load_explicit(&l->inbox.full, memory_order_acquire))
		inbox_look(l);
	if (atomic_load_explicit(&l->brood->queues_ended, memory_order_acquire))
		pump_lost(l);
	if (l->waiting.count > 0 || l->leases.asked > 0)
		place_waiting(l);
	if (l->leases.unsaid)
		leasing_say_again(l);
	if (!flows(l))
		behind_watch(l);
	if (l->leases.wakes)
		ring_in_flush(l);
}

static void heard(struct queue *l, const struct epoll_event *events, int n)
{
	ANSWER_IF_ASKED();
	if (n < 0 && errno != EINTR)
		pump_channel(l, false); /* asks whether the epoll still is the queue's own */
	for (int i = 0; i < n; i++) {
		uint64_t data = events[i].data.u64;

		if (QUEUE_EVENT_KIND(data) == QUEUE_EVENT_DONE ||
			QUEUE_EVENT_KIND(data) == QUEUE_EVENT_SIDE)
			collect_event(l, data);
		else
			pump_event(l, data);
	}
	scan(l);
	settle(l);
}

void sleep_look(struct queue *l)
{
	struct epoll_event events[QUEUE_EVENTS];

	l->sleep.looks = 0;
	heard(l, events, l->fds.gone ? 0 : epoll_wait(l->fds.epoll, events, QUEUE_EVENTS, 0));
}

void sleep_glance(struct queue *l)
{
	if (l->sleep.all_tell || ++l->sleep.looks >= LOOKS_WITHOUT_EPOLL) {
		sleep_look(l);
		return;
	}
	scan(l);
	settle(l);
}

void sleep_leave(struct queue *l)
{
	sleep_tell(l);
	if (l->leases.wakes)
		ring_in_leave(l);
	else
		queue_unlock(l);
}

static void sleeper_in(struct sleeper *s, struct sleeper **chain)
{
	*s = (struct sleeper){ .chain = chain, .next = *chain };
	list_init(&s->link);
	*chain = s;
}

static void sleeper_out(struct sleeper *s)
{
	struct sleeper **at = s->chain;

	while (at && *at != s)
		at = &(*at)->next;
	if (at)
		*at = s->next;
}

static int lead(struct queue *l, struct sleeper *s, struct epoll_event *events, uint64_t now,
	uint64_t until)
{
	int n;

	l->sleep.leader = s;
	queue_unlock(l);
	n = epoll_wait(l->fds.epoll, events, QUEUE_EVENTS,
		until == TIME_NEVER ? -1 : time_poll_ms(now, until));
	queue_lock(l);
	l->sleep.leader = NULL;
	return n;
}

static void doze(struct queue *l, struct sleeper *s, uint64_t until)
{
	queue_unlock(l);
	futex_wait(&s->woken, SLEEPER_SLEEPS, until);
	queue_lock(l);
	l->sleep.waking -= atomic_load_explicit(&s->woken, memory_order_relaxed);
}

static void follow(struct queue *l, struct sleeper *s, uint64_t until)
{
	list_append(&s->link, &l->sleep.followers);
	doze(l, s, until);
	list_remove(&s->link);
}

/*
 * The caller sleeps on a word of its own, not in the queue's epoll: news for the program's
 * dispatching threads keep that epoll readable until they come, so a sleep there would end at once.
 * A dispatching thread looks at the whole queue, and wakes the caller if the caller's own news has
 * come. If none comes within a tick, the caller looks itself.
 */
static void stand_back(struct queue *l, struct sleeper *s, uint64_t until)
{
	inbox_poke(&l->inbox);
	doze(l, s, MIN(until, now_ns() + QUEUE_TICK_MS * NS_PER_MS));
}

/*
 * Spins, sleeps, or finds that a job is done already. If the thread has not slept for many such
 * waits, the epoll is asked all the same: deaths and the supervisor's messages come there.
 */
static int sleep_or_spin(struct queue *l, struct sleeper *s, struct epoll_event *events,
	uint64_t now, uint64_t until)
{
	if (!spinning_wait(l, until) && !sleep_listen(l)) {
		l->sleep.looks = 0;
		return lead(l, s, events, now, until);
	}
	if (++l->sleep.looks < LOOKS_WITHOUT_EPOLL)
		return 0;
	l->sleep.looks = 0;
	return epoll_wait(l->fds.epoll, events, QUEUE_EVENTS, 0);
}

void sleep_from(struct queue *l, struct sleeper **chain, uint64_t now, uint64_t until)
{
	struct epoll_event events[QUEUE_EVENTS];
	struct sleeper self;
	int n = 0;

	if (l->leases.wakes)
		ring_in_flush(l);
	sleeper_in(&self, chain);
	if (!l->fds.gone && l->sleep.leader) {
		follow(l, &self, until);
		sleeper_out(&self);
		return;
	}
	if (!l->fds.gone && l->sleep.polled && chain != &l->sleep.takers && queue_has_news(l)) {
		stand_back(l, &self, until);
		sleeper_out(&self);
		sleep_look(l);
		return;
	}
	if (!l->fds.gone)
		n = sleep_or_spin(l, &self, events, now, until);
	sleeper_out(&self);
	/* if the fd is polled, a thread may sleep without the library's knowledge */
	if (!l->sleep.polled)
		sleep_quiet(l);
	l->results.taking = chain == &l->sleep.takers;
	heard(l, events, n);
	l->results.taking = false;
}

void sleep_until(struct queue *l, struct sleeper **chain, uint64_t until)
{
	sleep_from(l, chain, until == TIME_NEVER ? 0 : now_ns(), until);
}

static void caller_follow(struct queue *l, struct queue_job *job)
{
	_Atomic uint32_t *word;
	struct sleeper self;
	uint32_t asleep;

	sleeper_in(&self, &job->call->sleeper);
	if (caller_arm(job, &self, CALLER_SLEEPS)) {
		list_append(&self.link, &l->sleep.followers);
		word = caller_sleeps_on(&self);
		asleep = self.asleep;
		ring_in_leave(l);
		futex_wait(word, asleep, now_ns() + BELT_NS);
		queue_lock(l);
		l->sleep.waking -= atomic_load_explicit(&self.woken, memory_order_relaxed) ==
			SLEEPER_WOKEN;
		list_remove(&self.link);
	}
	sleeper_out(&self);
}

static void caller_lead(struct queue *l, struct queue_job *job)
{
	struct epoll_event events[QUEUE_EVENTS];
	struct sleeper self;
	int n = 0;

	sleeper_in(&self, &job->call->sleeper);
	if (!l->fds.gone && caller_arm(job, &self, CALLER_DONE_FD))
		n = lead(l, &self, events, 0, TIME_NEVER);
	sleeper_out(&self);
	heard(l, events, n);
}

/* A woken thread takes only what its own worker has done: the leader looks at the rest. */
void sleep_caller(struct queue *l, struct queue_job *job)
{
	const struct queue_call *call = job->call;

	if (l->fds.gone || !l->sleep.leader) {
		ring_in_flush(l);
		caller_lead(l, job);
		return;
	}
	caller_follow(l, job);
	if (!call->closed && job->state == JOB_RINGED)
		collect_done(job->lease);
	place_waiting(l);
	if (!flows(l))
		behind_watch(l);
}
