/* SPDX-License-Identifier: MIT */
/* path.h - chooses a job's transport. */
#ifndef BROOD_ENGINE_PATH_H
#define BROOD_ENGINE_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct brood;
struct given;
struct queue;

#define PATH_OFTEN    3 /* so many calls within a second are worth a lease */
#define PATH_OFTEN_NS UINT64_C(1000000000)

/* What a thread has for its calls, and how often it has called of late. call.c looks here first. */
struct path_thread {
	/* NULL: none yet. A queue has files open: a thread that calls now and then has none. */
	struct queue *queue;
	uint64_t since; /* when the first of `calls` was made */
	uint32_t calls;
	uint32_t lacked; /* how many calls in a row have found neither a lease nor an idle worker */
};
extern __thread struct path_thread path_thread;

/*
 * Chooses the queue of a job. 0: a lease would take the job now, or the job may wait for one; the
 * queue is locked. 1: hand it off. -errno. call: a thread waits, and may wait for a lease.
 */
int path_enter(struct brood *b, const struct given *given, bool call, struct queue **ret);
/* Returns -EAGAIN and sets its sentence. */
int path_full(const struct queue *l);
/* Returns -EAGAIN, for a queue that has no room for more results and jobs. */
int path_results(const struct queue *l);
/* Returns -ESTALE and sets its sentence. */
int path_lease_over(void);
/*
 * Under the queue's lock. Asks for a lease, for later conversations, if the queue gives them often
 * and has few idle leases. The last idle worker stays with the pool, for jobs that are handed off.
 */
void path_ask_ahead(struct queue *l, uint64_t now);
#endif
