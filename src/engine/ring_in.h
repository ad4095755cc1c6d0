/* SPDX-License-Identifier: MIT */
/* ring_in.h - jobs into a worker's ring. All under the queue's lock. */
#ifndef BROOD_ENGINE_RING_IN_H
#define BROOD_ENGINE_RING_IN_H

struct given;
struct queue;
struct queue_job;
struct lease;

int ring_in_publish(struct lease *lease, struct queue_job *job, const struct given *order);
/* Tells the workers what was published since, and wakes them. */
void ring_in_flush(struct queue *l);
/* The same, and lets go of the lock. */
void ring_in_leave(struct queue *l);

#endif
