/* SPDX-License-Identifier: MIT */
/*
 * pool.c - how many workers there are, whether the pool is ready, degraded, or has recovered, and
 * the limit on core files.
 */
#include "pool.h"

struct slot *pool_slot(struct supervisor *s, uint32_t number)
{
	for_each_pool(pool, s)
	{
		uint32_t place = number - pool->setup->first_slot;

		if (place < pool->places)
			return &pool->slot_array[place];
	}
	return NULL;
}

uint32_t pool_ready(const struct pool *pool)
{
	return pool->slots.counts[SLOT_IDLE] + pool->slots.counts[SLOT_BUSY] +
		pool->slots.counts[SLOT_LEASED];
}

uint32_t pool_possible(const struct pool *pool)
{
	return MIN(pool->size.target, slots_working(&pool->slots));
}

bool pool_degraded(const struct pool *pool)
{
	return pool->backoff.degraded || pool_possible(pool) < pool->size.target;
}

/*
 * True: nobody can do a job, so jobs are refused. A degraded pool with a ready worker is not
 * hopeless: the worker gets jobs, and one job done ends the degraded state.
 */
bool pool_hopeless(const struct pool *pool)
{
	return pool_ready(pool) == 0 &&
		(pool->backoff.degraded ||
			(pool->size.target > 0 && slots_working(&pool->slots) == 0));
}

void pool_count(struct pool *pool)
{
	const uint32_t *n = pool->slots.counts;
	struct stats_page *b = pool->stats_page;

	atomic_store_explicit(&b->workers, pool->size.target, memory_order_relaxed);
	atomic_store_explicit(&b->idle, n[SLOT_IDLE], memory_order_relaxed);
	atomic_store_explicit(&b->busy, n[SLOT_BUSY] + n[SLOT_LEASED], memory_order_relaxed);
	atomic_store_explicit(&b->leased, n[SLOT_LEASED], memory_order_relaxed);
	atomic_store_explicit(&b->library, pool->leases.library, memory_order_relaxed);
	atomic_store_explicit(&b->ready, pool_ready(pool), memory_order_relaxed);
	atomic_store_explicit(
		&b->starting, n[SLOT_ORDERED] + n[SLOT_STARTING], memory_order_relaxed);
	atomic_store_explicit(&b->queued, pool->records.queued, memory_order_relaxed);
	atomic_store_explicit(&b->queued_peak, pool->records.queued_peak, memory_order_relaxed);
	atomic_store_explicit(&b->undead, n[SLOT_UNDEAD], memory_order_relaxed);
	atomic_store_explicit(&b->degraded, pool_degraded(pool), memory_order_relaxed);
	/* Last: a program that reads of a worker's death must not read that the worker is ready. */
	atomic_store_explicit(&b->died, pool->died, memory_order_release);
}

void pool_worker_is_well(struct slot *slot, const char *what)
{
	struct pool *pool = slot->pool;
	uint64_t before = backoff_next(&pool->backoff);

	if (backoff_healthy(&pool->backoff, slot->ready_ns)) {
		pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RECOVERED,
			"the pool has recovered: workers %s again", what);
		note_pool(pool, NOTE_POOL | NOTE_GAUGES | NOTE_SIZE);
	}
	if (backoff_next(&pool->backoff) != before)
		/* The pause before a birth was ended early: births are due now. */
		note_pool(pool, NOTE_BIRTH);
}

/*
 * True: a worker may make a core file. Only so many may be made a minute, so that a crash loop does
 * not fill the disk. A worker's own limit is set at its birth, and again when it gets something to
 * do.
 */
bool pool_cores_allowed(struct pool *pool, uint64_t now)
{
	if (pool->options->flags & BROOD_NO_CORE)
		return false;
	if (now - pool->cores.began >= 60 * NS_PER_S) {
		pool->cores.began = now;
		pool->cores.count = 0;
	}
	return pool->cores.count < pool->options->cores_per_minute;
}

/* A limit of 1 byte allows no core file and, unlike 0, no core for a handler behind a pipe. */
void pool_adjust_core(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->pool->supervisor;
	bool allowed = pool_cores_allowed(slot->pool, now);
	struct rlimit limit = { allowed ? s->core.rlim_cur : MIN(s->core.rlim_max, (rlim_t)1),
		s->core.rlim_max };

	if (allowed != slot->core_allowed && prlimit(slot->pid, RLIMIT_CORE, &limit, NULL) == 0)
		slot->core_allowed = allowed;
}

/*
 * Sets the limit of busy workers, and of workers on leases, which may last for hours. Idle workers
 * get theirs when they get something to do. This happens at most twice a minute.
 */
static void adjust_all(struct pool *pool, uint64_t now)
{
	for_each_slot(slot, pool) if (slot->link.state == SLOT_BUSY ||
		slot->link.state == SLOT_LEASED) pool_adjust_core(slot, now);
}

void pool_cores_fired(struct timer *timer, uint64_t now)
{
	adjust_all(container_of(timer, struct pool, cores.timer), now);
}

void pool_count_core(struct pool *pool, uint64_t now)
{
	if (!pool_cores_allowed(pool, now))
		return;
	pool->cores.count++;
	if (pool_cores_allowed(pool, now))
		return;
	timer_set(&pool->supervisor->loop, &pool->cores.timer, pool->cores.began + 60 * NS_PER_S);
	adjust_all(pool, now);
}
