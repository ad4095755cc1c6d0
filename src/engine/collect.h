/* SPDX-License-Identifier: MIT */
/* collect.h - what came of the jobs in a worker's ring. All under the queue's lock. */
#ifndef BROOD_ENGINE_COLLECT_H
#define BROOD_ENGINE_COLLECT_H

#include <stdint.h>

struct brood_verdict;
struct queue;
struct queue_job;
struct lease;
struct ring_done;
struct ring_up;

/* Copies a completion and checks the copy. -EBADMSG: no job ends like that. */
int collect_completion(const struct ring_up *up, uint64_t sequence, struct ring_done *ret);
/*
 * What is expected of a function after one more run, which took ran_ns. est_ns: what was expected
 * before (PICK_UNKNOWN: nothing).
 */
uint32_t collect_learn(uint32_t est_ns, uint64_t ran_ns);
/* The worker died: its result gets what it had written of the reply. */
void collect_so_far(const struct lease *lease, struct queue_job *job);
/* Writes into the verdict which worker had the job. */
void collect_worker(const struct lease *lease, struct brood_verdict *v);
/* Reads what the worker sent over the side socket. */
void collect_side(struct lease *lease);
/* Collects the worker's completions, in order. */
void collect_done(struct lease *lease);
/*
 * Collects after the worker has told of completions. If workers of this queue always tell
 * (sleep.all_tell), looks twice: a worker is silent about a completion while its last ones are
 * uncollected.
 */
void collect_told(struct lease *lease);
/* An event of a lease: its worker has told of completions, or its side socket is readable. */
void collect_event(struct queue *l, uint64_t data);

#endif
