/* SPDX-License-Identifier: MIT */
/*
 * sums.h - final verdicts, and the times of attempts on leases, as programs outside see them
 * (brood-status.h). Each verdict is counted once: here, but for conversations by handoff (open and
 * give), which the supervisor counts, since it makes all their attempts.
 *
 * A queue has a record of its own, as long as one is free. So a job costs a few plain stores, under
 * the queue's lock. The other queues of a pool share one record, by atomic additions.
 */
#ifndef BROOD_ENGINE_SUMS_H
#define BROOD_ENGINE_SUMS_H

#include "../wire/status.h"
#include "pool_state.h"
#include <brood.h>
#include <stddef.h>

struct queue;
/* Sets up the record that queues of the pool share. */
void sums_prepare(struct brood_pool *pool);
/* Gives a new queue its record; takes it back at the queue's end. */
void sums_take(struct queue *l);
void sums_give_back(struct queue *l);
/* Where a job of the queue is counted, under the queue's lock. The pool is the job's. */
#define SUMS_PLACE(queue, its_pool) \
	((its_pool) == (queue)->pool ? &(queue)->sums : &(its_pool)->sums)
/* Counts the verdict of a job that no queue has. Any lock. */
void sums_elsewhere(struct brood_pool *pool, enum brood_outcome outcome, enum brood_detail detail);
/* Adds the verdicts of all records of the pool, the supervisor's too, by outcome. Any lock. */
void sums_add_verdicts(const struct brood_pool *pool, uint64_t inout_counts[BROOD_OUTCOMES]);
/* A worker on lease has died: counts how long its job's verdict took from there. */
void sums_death(struct queue *l, uint64_t ns);
/* So many more jobs of the queue wait. Under the queue's lock. */
void sums_wait(struct queue *l, int64_t more);
/* The same for jobs that wait in no queue. Any lock. */
void sums_wait_elsewhere(struct brood_pool *pool, int64_t more);

#endif
