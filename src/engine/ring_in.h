/* SPDX-License-Identifier: MIT */
/* ring_in.h - jobs into a worker's ring. All under the queue's lock. */
#ifndef BROOD_ENGINE_RING_IN_H
#define BROOD_ENGINE_RING_IN_H

struct given;
struct queue_job;
struct lease;

/* to its worker: what was published since */
void ring_in_say(struct lease *lease);
int ring_in_publish(struct lease *lease, struct queue_job *job, const struct given *order);
void ring_in_wake(struct lease *lease);

/* The job is in the ring no more: it has a completion, or was taken out. */
void ring_in_forget(struct lease *lease, struct queue_job *job);

#endif
