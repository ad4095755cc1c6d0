/* SPDX-License-Identifier: MIT */
/*
 * pool.c - how many workers there are, and whether the pool is ready, degraded, or has recovered.
 */
#include "pool.h"
#include "logging.h"

uint32_t pool_ready(const struct supervisor *s)
{
	return s->slots.counts[SLOT_IDLE] + s->slots.counts[SLOT_BUSY] +
		s->slots.counts[SLOT_LEASED];
}

bool pool_degraded(const struct supervisor *s)
{
	return s->backoff.degraded || slots_working(&s->slots) < s->options->workers;
}

/*
 * A worker that is ready gets jobs, whatever else is wrong: doing one is what ends the pool's being
 * degraded.
 */
bool pool_hopeless(const struct supervisor *s)
{
	return pool_ready(s) == 0 && (s->backoff.degraded || slots_working(&s->slots) == 0);
}

void pool_count(struct supervisor *s)
{
	const uint32_t *n = s->slots.counts;
	struct board *b = s->board;

	atomic_store_explicit(&b->idle, n[SLOT_IDLE], memory_order_relaxed);
	atomic_store_explicit(&b->busy, n[SLOT_BUSY] + n[SLOT_LEASED], memory_order_relaxed);
	atomic_store_explicit(&b->leased, n[SLOT_LEASED], memory_order_relaxed);
	atomic_store_explicit(&b->library, s->leases.library, memory_order_relaxed);
	atomic_store_explicit(&b->ready, pool_ready(s), memory_order_relaxed);
	atomic_store_explicit(&b->starting, n[SLOT_STARTING], memory_order_relaxed);
	atomic_store_explicit(&b->queued, s->records.queued, memory_order_relaxed);
	atomic_store_explicit(&b->queued_peak, s->records.queued_peak, memory_order_relaxed);
	atomic_store_explicit(&b->undead, n[SLOT_UNDEAD], memory_order_relaxed);
	atomic_store_explicit(&b->degraded, pool_degraded(s), memory_order_relaxed);
}

static void recovered(struct supervisor *s, const char *what)
{
	plain_log(s, BROOD_NOTICE, BROOD_EVENT_RECOVERED,
		"the pool has recovered: workers %s again", what);
	note(s, NOTE_POOL | NOTE_GAUGES);
}

void pool_worker_is_well(struct slot *slot, const char *what)
{
	struct supervisor *s = slot->supervisor;
	uint64_t before = backoff_next(&s->backoff);

	if (backoff_healthy(&s->backoff, slot->ready_ns))
		recovered(s, what);
	if (backoff_next(&s->backoff) != before)
		note(s, NOTE_BIRTH); /* nobody is to wait for a pause that is no more */
}
