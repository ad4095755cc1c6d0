/* SPDX-License-Identifier: MIT */
/* queue_waiting.h - the jobs of a queue that wait for a worker. All under the queue's lock. */
#ifndef BROOD_ENGINE_QUEUE_WAITING_H
#define BROOD_ENGINE_QUEUE_WAITING_H

#include <stdbool.h>

struct queue;
struct queue_job;

/*
 * The job waits from now on, before the others if `front`, else behind them. A retry waits after
 * its pause.
 */
void queue_waiting_add(struct queue *l, struct queue_job *job, bool front);
/* The pause is over, or the job has ended: it is NEW. */
void queue_waiting_unpause(struct queue *l, struct queue_job *job);
/* Takes the job off the waiting jobs. */
void queue_waiting_remove(struct queue *l, struct queue_job *job);
/* The call or conversation is taken off the pool's queues_waiting. */
void queue_waiting_uncount(struct queue *l, struct queue_job *job);

#endif
