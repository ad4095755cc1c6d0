/* SPDX-License-Identifier: MIT */
/* queue_waiting.h - the jobs of a queue that wait for a worker. All under the queue's lock. */
#ifndef BROOD_ENGINE_QUEUE_WAITING_H
#define BROOD_ENGINE_QUEUE_WAITING_H

#include <stdbool.h>

struct queue;
struct queue_job;

/* It waits from now on, behind the others or before them; a retry, after its pause. */
void queue_waiting_add(struct queue *l, struct queue_job *job, bool front);
/* Its pause is over, or the job is: NEW. */
void queue_waiting_unpause(struct queue *l, struct queue_job *job);
/* It waits no more. */
void queue_waiting_remove(struct queue *l, struct queue_job *job);
/* A call or conversation counts no more for the pool's queues_waiting. */
void queue_waiting_uncount(struct queue *l, struct queue_job *job);

#endif
