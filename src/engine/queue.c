/* SPDX-License-Identifier: MIT */
/*
 * queue.c - who sleeps in a queue, and who wakes whom (sleep.c runs the threads).
 *
 * Invariant, whenever the queue's lock is free: if a thread follows, one leads, or a follower was
 * woken. queue_unlock() keeps the invariant. So a function that lets go of the lock, to run
 * callbacks or for good, need not think of it.
 */
#include "queue.h"

#include "engine_root.h"
#include "sums.h"

#include "../os/futex.h"
#include <sys/epoll.h>

/* how many sleeping threads are searched for one that a worker has woken already */
#define COMING_MAX 8

/* Tells the tally, which the supervisor can read, how many jobs wait in this queue. */
static void tell_waiting(struct queue *l)
{
	struct tally *tally = l->brood->shared.tally;
	size_t count = l->waiting.count + l->waiting.paused_count;

	if (count > l->waiting.told)
		atomic_fetch_add_explicit(
			&tally->waiting, count - l->waiting.told, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(
			&tally->waiting, l->waiting.told - count, memory_order_relaxed);
	sums_wait(l, (int64_t)count - (int64_t)l->waiting.told);
	l->waiting.told = count;
}

/*
 * Wakes a thread, which must be asleep. A thread that looks at the queue, or lets others look, has
 * left its chain before. (Otherwise `waking` would count a thread that never returns from sleep,
 * and no thread would lead any more.)
 */
void queue_rouse(struct queue *l, struct sleeper *s)
{
	if (atomic_load_explicit(&s->woken, memory_order_relaxed) == SLEEPER_WOKEN)
		return;
	atomic_store_explicit(&s->woken, SLEEPER_WOKEN, memory_order_relaxed);
	if (s == l->sleep.leader) {
		inbox_poke(&l->inbox);
		return;
	}
	l->sleep.waking++;
	if (s->word)
		atomic_compare_exchange_strong(s->word, &s->asleep, s->told);
	futex_wake(s->word ? s->word : &s->woken, 1);
}

void queue_wake(struct queue *l, struct sleeper **chain)
{
	while (*chain) {
		struct sleeper *s = *chain;

		*chain = s->next;
		s->chain = NULL;
		queue_rouse(l, s);
	}
}

void queue_wake_one(struct queue *l, struct sleeper **chain)
{
	if (*chain)
		queue_rouse(l, *chain);
}

/*
 * Chooses the thread that came last: it will wait longest, so the lead changes hands least often.
 * NULL: a worker has just woken a follower. When that thread lets go of the lock, the choice is
 * made again.
 */
static struct sleeper *to_lead(struct queue *l)
{
	uint32_t seen = 0;

	list_for_each_safe(link, tmp, &l->sleep.followers) {
		struct sleeper *s = container_of(link, struct sleeper, link);

		if (s->word && atomic_load_explicit(s->word, memory_order_relaxed) == s->told)
			return NULL;
		if (++seen == COMING_MAX)
			break;
	}
	return container_of(l->sleep.followers.prev, struct sleeper, link);
}

int queue_watch(struct queue *l, int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = { .events = events, .data.u64 = what };

	return epoll_ctl(l->fds.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Wakes a follower to lead. */
static void promote(struct queue *l)
{
	struct sleeper *next = l->kind == QUEUE_CALLERS
		? to_lead(l)
		: container_of(list_first(&l->sleep.followers), struct sleeper, link);

	if (next)
		queue_rouse(l, next);
}

void queue_lock_wanted(struct queue *l)
{
	atomic_fetch_add(&l->sleep.wanted, 1); /* a thread that spins with the lock sees this */
	pthread_mutex_lock(&l->lock);
	atomic_fetch_sub(&l->sleep.wanted, 1);
}

void queue_settle_owed(struct queue *l)
{
	if (l->waiting.count + l->waiting.paused_count != l->waiting.told)
		tell_waiting(l);
	if (!l->sleep.leader && l->sleep.waking == 0 && !list_empty(&l->sleep.followers))
		promote(l);
}

void queue_count_elsewhere(struct brood_pool *pool, uint64_t *counter)
{
	engine_lock(pool->brood);
	++*counter;
	engine_unlock(pool->brood);
}
