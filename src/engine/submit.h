/* SPDX-License-Identifier: MIT */
/*
 * submit.h - gives a submitted job, for submit_many.c; dispatches queues, for brood_dispatch() and
 * brood_queue_dispatch().
 */
#ifndef BROOD_ENGINE_SUBMIT_H
#define BROOD_ENGINE_SUBMIT_H

#include <stdint.h>

struct brood;
struct given;
struct queue;

/* The queue of a job that was checked. NULL with errno: there is none. Takes brood.common.lock. */
struct queue *submit_queue(struct brood *b, const struct given *given);
/*
 * Under the queue's lock: gives one job, and tells no worker of it yet. 0; -errno with a sentence:
 * there is no job.
 */
int submit_job(struct queue *l, const struct given *given, uint64_t *ret_id);
/* Afterwards: a polling program hears of jobs that were refused meanwhile. news: as before. */
void submit_poke(struct queue *l, uint32_t news);

int submit_dispatch(struct queue *l);
/*
 * Dispatches the brood's own queue. Returns how many results there are; -1: nobody has used the
 * queue yet.
 */
int submit_dispatch_own(struct brood *b);

#endif
