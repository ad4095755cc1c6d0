/* SPDX-License-Identifier: MIT */
/* sums.c - see sums.h. A record that a queue gives back keeps its counts, for the next one. */
#include "sums.h"

#include "engine_root.h"
#include "queue_state.h"

static struct brood_status_sums *record(const struct brood_pool *pool, uint32_t number)
{
	const struct shared *s = &pool->brood->shared;

	return shared_record(s, BROOD_STATUS_SUMS, number * s->pools + pool->setup->number);
}

static void use(struct brood_status_sums *sums, const struct brood_pool *pool)
{
	sums->pool = pool->setup->number;
	__atomic_store_n(&sums->used, 1, __ATOMIC_RELEASE);
}

void sums_prepare(struct brood_pool *pool)
{
	pool->sums = (struct status_place){ .record = record(pool, STATUS_SUMS_SHARED),
		.shared = true };
	use(pool->sums.record, pool);
}

_Static_assert(STATUS_SUMS <= 32, "brood_pool.sums_taken has a bit for each");

void sums_take(struct queue *l)
{
	struct brood_pool *pool = l->pool;

	l->sums = pool->sums;
	engine_lock(l->brood);
	for (uint32_t n = STATUS_SUMS_OWN; n < STATUS_SUMS && l->sums.shared; n++) {
		if (pool->sums_taken & 1u << n)
			continue;
		pool->sums_taken |= 1u << n;
		l->sums.record = record(pool, n);
		l->sums.number = n;
		l->sums.shared = false;
	}
	engine_unlock(l->brood);
	if (!l->sums.shared)
		use(l->sums.record, pool);
}

void sums_give_back(struct queue *l)
{
	const uint32_t number = l->sums.number;

	if (l->sums.shared)
		return;
	/* The queue leaves its record first: another queue may take the record at once. */
	l->sums = l->pool->sums;
	engine_lock(l->brood);
	l->pool->sums_taken &= ~(1u << number);
	engine_unlock(l->brood);
}

void sums_elsewhere(struct brood_pool *pool, enum brood_outcome outcome, enum brood_detail detail)
{
	status_verdict(&pool->sums, outcome, detail);
}

static uint64_t verdicts_of(const struct brood_status_sums *sums, uint32_t outcome)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < BROOD_DETAILS; i++)
		count += __atomic_load_n(&sums->verdicts[outcome][i], __ATOMIC_RELAXED);
	return count;
}

void sums_add_verdicts(const struct brood_pool *pool, uint64_t inout_counts[BROOD_OUTCOMES])
{
	for (uint32_t n = 0; n < STATUS_SUMS; n++) {
		const struct brood_status_sums *sums = record(pool, n);

		if (!__atomic_load_n(&sums->used, __ATOMIC_ACQUIRE))
			continue;
		for (uint32_t i = 1; i < BROOD_OUTCOMES; i++)
			inout_counts[i] += verdicts_of(sums, i);
	}
}

void sums_death(struct queue *l, uint64_t ns)
{
	status_time(&l->sums.record->death_to_verdict, ns, l->sums.shared);
}

void sums_wait(struct queue *l, int64_t more)
{
	status_add((uint64_t *)(void *)&l->sums.record->waiting, (uint64_t)more, l->sums.shared);
}

void sums_wait_elsewhere(struct brood_pool *pool, int64_t more)
{
	status_add((uint64_t *)(void *)&pool->sums.record->waiting, (uint64_t)more, true);
}
