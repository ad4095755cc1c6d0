/* SPDX-License-Identifier: MIT */
/*
 * retries.h - the cap on retries that the engine makes: of calls and of submitted jobs, and of all
 * jobs on leases. The rule is that of pool/budget.h. Nothing is counted while no job is to run
 * again: the counters of queues and pool say then how many jobs were given since.
 */
#ifndef BROOD_ENGINE_RETRIES_H
#define BROOD_ENGINE_RETRIES_H

#include "pool_state.h"
#include "queue.h"

/*
 * A job's options allow a retry after this verdict. l: its queue, whose lock the caller has; NULL:
 * it has none. False: the cap does not allow it, and the verdict says so. Takes brood.lock.
 */
bool retries_allow(struct brood_pool *pool, struct queue *l, struct brood_verdict *verdict);
/* The same under brood.lock. */
bool retries_allow_locked(struct brood_pool *pool, struct queue *l, struct brood_verdict *verdict);

#endif
