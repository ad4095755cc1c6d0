/* SPDX-License-Identifier: MIT */
/* ring_in.h - jobs into a worker's ring. All under the queue's lock. */
#ifndef BROOD_ENGINE_RING_IN_H
#define BROOD_ENGINE_RING_IN_H

#include <stdbool.h>

struct given;
struct queue;
struct queue_job;
struct lease;

/* A lease that has nothing to do and that nobody wants back; NULL: there is none. */
struct lease *ring_in_idle(struct queue *l);
/*
 * Gives the job to an idle worker where place.c would have no choice: no other job of the queue
 * waits or is in a ring, and all bytes of this job fit into a ring. False: the caller goes on with
 * place_give().
 */
bool ring_in_alone(struct queue *l, struct queue_job *job, const struct given *order);
int ring_in_publish(struct lease *lease, struct queue_job *job, const struct given *order);
/* The next flush looks at this lease. */
void ring_in_to_tell(struct lease *lease);
/* Tells the workers what was published since the last flush, and wakes them. */
void ring_in_flush(struct queue *l);
/* ring_in_flush() for a thread that also lets go of the queue's lock. */
void ring_in_leave(struct queue *l);

#endif
