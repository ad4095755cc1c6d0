/* SPDX-License-Identifier: MIT */
/*
 * queue.h - a queue: what has leases and jobs. Each brood_queue is one, each thread that makes
 * calls has one (and all threads have one in common, for when they are more than workers), each
 * pinned lease is one with a single lease, and the brood has one of its own for what is opened and
 * given. What two queues do for a job touches no memory that both write: that is why each thread
 * has its own.
 *
 * Locks, in this order: brood.common.lock (the birth of the brood's own queue and of the callers'),
 * brood.queues.lock (which queues there are), queue.lock (all of a queue), brood.lock (the channel,
 * the records of handoffs and leases). So the thread that reads the channel, under brood.lock,
 * cannot touch a queue: it leaves a note in the queue's inbox and pokes the queue.
 */
#ifndef BROOD_ENGINE_QUEUE_H
#define BROOD_ENGINE_QUEUE_H

#include "../base/list.h"
#include "queue_state.h"

struct brood;
struct function;
struct queue_job;
struct lease;

#define QUEUE_TICK_MS 5  /* between two tries to get what was refused */
#define QUEUE_EVENTS  64 /* at once */

/*
 * What an event of a queue's epoll is about: the low four bits. Above stand, for a lease, its place
 * in the table and that place's serial; for a stream, the job's id.
 */
enum {
	QUEUE_EVENT_WAKE = 1,
	QUEUE_EVENT_TICK,
	QUEUE_EVENT_CHANNEL,
	QUEUE_EVENT_LOG,
	QUEUE_EVENT_DONE,
	QUEUE_EVENT_SIDE,
	QUEUE_EVENT_STREAM,
	QUEUE_EVENT_OVER
};
#define QUEUE_EVENT_KIND(data) ((unsigned)((data) % 16))
#define QUEUE_EVENT_LEASE(lease, kind) \
	((uint64_t)(lease)->serial << 32 | (uint64_t)(lease)->index << 4 | (kind))
#define QUEUE_EVENT_JOB(job) ((job)->id << 4 | QUEUE_EVENT_STREAM)

/* A thread that waits for something of a queue, on its own stack, while it sleeps. */
struct sleeper {
	struct list link;              /* queue.sleep.followers; the leader: none */
	struct sleeper **chain, *next; /* of those that wait for the same; NULL: that was there */
	_Atomic uint32_t woken;        /* what a follower sleeps on: SLEEPER_* */
	_Atomic uint32_t *word;        /* or this one, in a ring: see caller.c. NULL: woken */
	/* what stands there while it may sleep; and when it shall not */
	uint32_t asleep, told;
};
enum { SLEEPER_SLEEPS, SLEEPER_WOKEN, SLEEPER_MOVED };

/* for those that dispatch */
static inline bool queue_has_news(const struct queue *l)
{
	return l->results.news > 0 || l->results.handle_news > 0 ||
		!list_empty(&l->results.talkers);
}

/*
 * How many jobs wait in this queue, for the page that the supervisor can read. Under the queue's
 * lock.
 */
void queue_tell_waiting(struct queue *l);
/* wakes this one thread */
void queue_rouse(struct queue *l, struct sleeper *s);
/* what these wait for is there */
void queue_wake(struct queue *l, struct sleeper **chain);
/* something is, that one of them can take */
void queue_wake_one(struct queue *l, struct sleeper **chain);
/* wakes a follower to lead */
void queue_promote(struct queue *l);

static inline void queue_lock(struct queue *l) { pthread_mutex_lock(&l->lock); }
static inline void queue_unlock(struct queue *l)
{
	if (l->waiting.count != l->waiting.told)
		queue_tell_waiting(l);
	if (!l->sleep.leader && l->sleep.waking == 0 && !list_empty(&l->sleep.followers))
		queue_promote(l);
	pthread_mutex_unlock(&l->lock);
}

#endif
