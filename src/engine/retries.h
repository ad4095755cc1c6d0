/* SPDX-License-Identifier: MIT */
/*
 * retries.h - the cap on retries that the engine makes: of calls and of submitted jobs, and of all
 * jobs on leases. The rule is that of pool/budget.h. Nothing is counted until a job is to run
 * again: only then the counters of queues and pool tell how many jobs were given since the last
 * time.
 */
#ifndef BROOD_ENGINE_RETRIES_H
#define BROOD_ENGINE_RETRIES_H

#include "pool_state.h"
#include "queue.h"

/*
 * A job's options allow a retry after this verdict. l: the job's queue, whose lock the caller has;
 * NULL: the job has no queue. False: the cap does not allow it, and the verdict says so. Takes
 * brood.lock.
 */
bool retries_allow(struct brood_pool *pool, struct queue *l, struct brood_verdict *verdict);
/* retries_allow() for a caller that holds brood.lock. */
bool retries_allow_locked(struct brood_pool *pool, struct queue *l, struct brood_verdict *verdict);

#endif
