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
	pool->sums = record(pool, STATUS_SUMS_SHARED);
	use(pool->sums, pool);
}

_Static_assert(STATUS_SUMS <= 32, "brood_pool.sums_taken has a bit for each");

void sums_take(struct queue *l)
{
	struct brood_pool *pool = l->pool;

	l->sums.record = pool->sums;
	l->sums.shared = true;
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
	if (l->sums.shared)
		return;
	/* The queue leaves its record first: another queue may take the record at once. */
	l->sums.record = l->pool->sums;
	l->sums.shared = true;
	engine_lock(l->brood);
	l->pool->sums_taken &= ~(1u << l->sums.number);
	engine_unlock(l->brood);
}

/* A number that this build does not know has no place. */
static uint64_t *place(
	struct brood_status_sums *sums, enum brood_outcome outcome, enum brood_detail detail)
{
	uint32_t i = (uint32_t)outcome, k = (uint32_t)detail;

	return &sums->verdicts[i < BROOD_STATUS_OUTCOMES ? i : 0][k < BROOD_STATUS_DETAILS ? k : 0];
}

void sums_elsewhere(struct brood_pool *pool, enum brood_outcome outcome, enum brood_detail detail)
{
	status_add(place(pool->sums, outcome, detail), 1, true);
}

void sums_verdict(struct queue *l, struct brood_pool *pool, const struct brood_verdict *v)
{
	if (pool == l->pool)
		status_add(place(l->sums.record, v->outcome, v->detail), 1, l->sums.shared);
	else
		sums_elsewhere(pool, v->outcome, v->detail);
}

void sums_times(struct queue *l, struct brood_pool *pool, uint64_t queue_ns, uint64_t run_ns)
{
	bool shared = l->sums.shared || pool != l->pool;
	struct brood_status_sums *sums = pool == l->pool ? l->sums.record : pool->sums;

	status_time(&sums->queue, queue_ns, shared);
	status_time(&sums->run, run_ns, shared);
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
	status_add((uint64_t *)(void *)&pool->sums->waiting, (uint64_t)more, true);
}
