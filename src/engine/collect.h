/* SPDX-License-Identifier: MIT */
/* collect.h - what came of the jobs in a worker's ring. All under the queue's lock. */
#ifndef BROOD_ENGINE_COLLECT_H
#define BROOD_ENGINE_COLLECT_H

#include <stdint.h>

struct brood_verdict;
struct queue;
struct queue_job;
struct lease;

/* what it had written of its reply when its worker died; for its result */
void collect_so_far(const struct lease *lease, struct queue_job *job);
/* whose job it was */
void collect_worker(const struct lease *lease, struct brood_verdict *v);
/* the side socket */
void collect_side(struct lease *lease);
/* its completions, in order */
void collect_done(struct lease *lease);
/* an event of a lease: its worker has told of some, or its side socket is readable */
void collect_event(struct queue *l, uint64_t data);

#endif
