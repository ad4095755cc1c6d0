/* SPDX-License-Identifier: MIT */
/* retries.c - see retries.h. */
#include "retries.h"

#include "engine_root.h"
#include "queue_state.h"

/* Each queue counts its own jobs; the pool counts jobs by handoff that have no queue. */
static void earn(struct brood_pool *pool, struct queue *l)
{
	struct pool_counts *counts = &pool->counts;

	if (l && l->pool == pool) {
		counts->budgeted += l->stats.submitted - l->stats.budgeted;
		l->stats.budgeted = l->stats.submitted;
	}
	budget_earn(&pool->budget, pool->setup->own.retry_percent,
		counts->submitted + counts->budgeted);
}

bool retries_allow_locked(struct brood_pool *pool, struct queue *l, struct brood_verdict *v)
{
	if (!budget_counts(v))
		return true;
	earn(pool, l);
	if (budget_take(&pool->budget, now_ns()))
		return true;
	v->flags |= BROOD_NOT_RETRIED;
	return false;
}

bool retries_allow(struct brood_pool *pool, struct queue *l, struct brood_verdict *v)
{
	bool allowed;

	engine_lock(pool->brood);
	allowed = retries_allow_locked(pool, l, v);
	engine_unlock(pool->brood);
	return allowed;
}
