/* SPDX-License-Identifier: MIT */
/*
 * queue.h - a queue: what has leases and jobs. Each brood_queue is a queue, and each pinned lease
 * is one with a single lease. Each thread that calls often has a queue; all threads share a pool's
 * callers' queue in a crowd (path.c); and each pool has a queue of its own for what is opened and
 * given. What two queues do for a job touches no memory that both write: that is why each thread
 * has its own.
 *
 * Locks, in this order: brood.common.lock (the birth of each pool's own queue and of its callers'),
 * brood.queues.lock (which queues there are), queue.lock (all of a queue), brood.lock (the channel,
 * the records of handoffs and leases). So the thread that reads the channel, under brood.lock,
 * cannot touch a queue: it leaves a note in the queue's inbox and pokes the queue.
 */
#ifndef BROOD_ENGINE_QUEUE_H
#define BROOD_ENGINE_QUEUE_H

#include "queue_job.h"
#include "queue_state.h"

#define QUEUE_TICK_MS  5  /* the pause before the engine tries again what was refused */
#define QUEUE_EVENTS   64 /* how many events are read at once */
#define FUNCTIONS_SIZE 256

/* A thread that waits for something of a queue. The struct lies on that thread's stack. */
struct sleeper {
	struct list link; /* in queue.sleep.followers; the leader is in no list */
	/* The list of threads that wait for the same thing. NULL: the thing has come. */
	struct sleeper **chain, *next;
	_Atomic uint32_t woken; /* the word on which a follower sleeps: SLEEPER_* */
	/* The word in a ring on which the thread sleeps instead (caller.c). NULL: there is none. */
	_Atomic uint32_t *word;
	/* The word's value while the thread may sleep, and its value once it may not. */
	uint32_t asleep, told;
};
enum { SLEEPER_SLEEPS, SLEEPER_WOKEN, SLEEPER_MOVED };

/* True: there is something for threads that dispatch. */
static inline bool queue_has_news(const struct queue *l)
{
	return l->results.news > 0 || l->results.handle_news > 0 ||
		!list_empty(&l->results.talkers);
}

/*
 * True: before the lock is let go, the tally must be told how many jobs wait, or a follower must be
 * woken to lead. A macro, as lock and unlock are: this is on each job's path, and is rarely true.
 */
#define QUEUE_OWES(l)                                                           \
	((l)->waiting.count + (l)->waiting.paused_count != (l)->waiting.told || \
		(!(l)->sleep.leader && (l)->sleep.waking == 0 &&                \
			(l)->sleep.followers.next != &(l)->sleep.followers))
void queue_settle_owed(struct queue *l);
void queue_lock_wanted(struct queue *l);
#define queue_lock(l)                                       \
	do {                                                \
		if (pthread_mutex_trylock(&(l)->lock) != 0) \
			queue_lock_wanted(l);               \
	} while (0)
#define queue_unlock(l)                           \
	do {                                      \
		if (QUEUE_OWES(l))                \
			queue_settle_owed(l);     \
		pthread_mutex_unlock(&(l)->lock); \
	} while (0)
/* All that follows is under the queue's lock. */
/* Lets the queue's epoll watch fd; its event says `what` (QUEUE_EVENT_*). 0 or -errno. */
int queue_watch(struct queue *l, int fd, uint32_t events, uint64_t what);
/* Wakes this one thread. */
void queue_rouse(struct queue *l, struct sleeper *s);
/* What these threads wait for has come: wakes all of them. */
void queue_wake(struct queue *l, struct sleeper **chain);
/* Something has come that one of these threads can take: wakes one. */
void queue_wake_one(struct queue *l, struct sleeper **chain);
/*
 * Counts a job in its own pool, which is not always the queue's: in inline mode one queue has the
 * jobs of all pools, and a queue may hand off a job of another pool. A macro: this is on each job's
 * path.
 */
void queue_count_elsewhere(struct brood_pool *pool, uint64_t *counter);
#define QUEUE_COUNT(queue, of_pool, in_queue, in_pool)                              \
	do {                                                                        \
		if ((of_pool) == (queue)->pool)                                     \
			(queue)->stats.in_queue++;                                  \
		else                                                                \
			queue_count_elsewhere(of_pool, &(of_pool)->counts.in_pool); \
	} while (0)

#endif
