/* SPDX-License-Identifier: MIT */
/*
 * pool.c - how many workers there are, and whether the pool is ready, degraded, or has recovered.
 */
#include "pool.h"

uint32_t pool_ready(const struct pool *pool)
{
	return pool->slots.counts[SLOT_IDLE] + pool->slots.counts[SLOT_BUSY] +
		pool->slots.counts[SLOT_LEASED];
}

bool pool_degraded(const struct pool *pool)
{
	return pool->backoff.degraded || slots_working(&pool->slots) < pool->workers;
}

/* A ready worker gets jobs, whatever else is wrong: a job done ends the degraded state. */
bool pool_hopeless(const struct pool *pool)
{
	return pool_ready(pool) == 0 &&
		(pool->backoff.degraded || slots_working(&pool->slots) == 0);
}

void pool_count(struct pool *pool)
{
	const uint32_t *n = pool->slots.counts;
	struct stats_page *b = pool->stats_page;

	atomic_store_explicit(&b->idle, n[SLOT_IDLE], memory_order_relaxed);
	atomic_store_explicit(&b->busy, n[SLOT_BUSY] + n[SLOT_LEASED], memory_order_relaxed);
	atomic_store_explicit(&b->leased, n[SLOT_LEASED], memory_order_relaxed);
	atomic_store_explicit(&b->library, pool->leases.library, memory_order_relaxed);
	atomic_store_explicit(&b->ready, pool_ready(pool), memory_order_relaxed);
	atomic_store_explicit(&b->starting, n[SLOT_STARTING], memory_order_relaxed);
	atomic_store_explicit(&b->queued, pool->records.queued, memory_order_relaxed);
	atomic_store_explicit(&b->queued_peak, pool->records.queued_peak, memory_order_relaxed);
	atomic_store_explicit(&b->undead, n[SLOT_UNDEAD], memory_order_relaxed);
	atomic_store_explicit(&b->degraded, pool_degraded(pool), memory_order_relaxed);
}

static void recovered(struct pool *pool, const char *what)
{
	struct supervisor *s = pool->supervisor;

	plain_log(s, BROOD_NOTICE, BROOD_EVENT_RECOVERED,
		"the pool has recovered: workers %s again", what);
	note(s, NOTE_POOL | NOTE_GAUGES);
}

void pool_worker_is_well(struct slot *slot, const char *what)
{
	struct pool *pool = slot->pool;
	uint64_t before = backoff_next(&pool->backoff);

	if (backoff_healthy(&pool->backoff, slot->ready_ns))
		recovered(pool, what);
	if (backoff_next(&pool->backoff) != before)
		note(slot->pool->supervisor,
			NOTE_BIRTH); /* nobody is to wait for a pause that is no more */
}
