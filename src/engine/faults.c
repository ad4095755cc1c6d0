/* SPDX-License-Identifier: MIT */
/* faults.c - see faults.h. */
#include "faults.h"

#include "engine_root.h"

static void publish(struct brood_pool *pool)
{
	/* written only when the number has changed: each job reads memory beside it */
	if (atomic_load_explicit(&pool->poisoned, memory_order_relaxed) != pool->poison.listed)
		atomic_store_explicit(&pool->poisoned, pool->poison.listed, memory_order_relaxed);
}

bool faults_count(struct brood_pool *pool, uint64_t key, uint64_t at)
{
	const struct poison_rule rule = poison_rule_of(&pool->setup->own);
	uint64_t now = now_ns();
	bool has;

	if (rule.after == 0 || key == 0)
		return false;
	poison_fault(&pool->poison, &rule, key, MIN(at, now));
	has = poison_has(&pool->poison, key, now);
	publish(pool);
	return has;
}

int faults_refuse_locked(struct brood_pool *pool, uint64_t key)
{
	bool has = pool->poison.listed > 0 && poison_has(&pool->poison, key, now_ns());

	publish(pool);
	if (!has)
		return 0;
	return fail_with(-EKEYREJECTED,
		"key %#llx is on the poison list: its jobs crashed or hung %u workers within "
		"poison_within_ms (%u); it is forgotten after poison_forget_ms (%u)",
		(unsigned long long)key, pool->setup->own.poison_after,
		pool->setup->own.poison_within_ms, pool->setup->own.poison_forget_ms);
}

int faults_refuse(struct brood_pool *pool, uint64_t key)
{
	int r;

	if (atomic_load_explicit(&pool->poisoned, memory_order_relaxed) == 0)
		return 0;
	engine_lock(pool->brood);
	r = faults_refuse_locked(pool, key);
	engine_unlock(pool->brood);
	return r;
}
