/* SPDX-License-Identifier: MIT */
/*
 * state_of_pool.c - what the program asks about the pools: brood_pool(), brood_wait_ready() and
 * brood_stats().
 */
#include "channel.h"
#include "queues.h"
#include "engine_root.h"
#include "sums.h"
#include "wait.h"

static uint32_t load32(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static uint64_t load64(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

/*
 * A message tells that a pool is degraded, so that a waiting thread wakes. The stats page says
 * whether it still is.
 */
static const struct brood_pool *degraded_one(const struct brood *b)
{
	for (uint32_t i = 0; i < b->pools_count; i++)
		if (b->pools[i].degraded && load32(&b->pools[i].stats_page->degraded))
			return &b->pools[i];
	return NULL;
}

/* The first pool with a slot that has never had a ready worker; NULL: there is none. */
static const struct brood_pool *unready_one(const struct brood *b)
{
	for (uint32_t i = 0; i < b->pools_count; i++)
		if (!b->pools[i].ready)
			return &b->pools[i];
	return NULL;
}

static bool ready_done(const struct wait *wait)
{
	const struct brood *b = wait->brood;

	return !unready_one(b) || degraded_one(b) || b->lost || b->state != ENGINE_RUNNING;
}

static const char *pool_word(const struct brood_pool *pool)
{
	return pool->setup->named ? pool->setup->name : "";
}

static int fail_unready(const struct brood *b, uint32_t timeout_ms)
{
	const struct brood_pool *pool = unready_one(b);

	return fail_with(-ETIMEDOUT,
		"brood_wait_ready: the pool %s%sis not ready after %u ms: is worker_init slow? "
		"init_ms bounds it",
		pool ? pool_word(pool) : "", pool && pool->setup->named ? " " : "", timeout_ms);
}

/* A stop signal came, and the program has not got it yet: stop_delay_ms. */
static bool leaving(const struct brood *b)
{
	const struct brood_status_brood *told = shared_record(&b->shared, BROOD_STATUS_BROOD, 0);

	return b->options.stop_delay_ms > 0 &&
		__atomic_load_n(&told->state, __ATOMIC_RELAXED) == BROOD_STATUS_DRAINING;
}

static int fail_degraded(const struct brood *b)
{
	const struct brood_pool *pool = degraded_one(b);

	return fail_with(-EHOSTDOWN,
		"brood_wait_ready: the pool %s%sis degraded, its workers die at birth: the log "
		"says how. It tries again by itself",
		pool ? pool_word(pool) : "", pool && pool->setup->named ? " " : "");
}

int engine_wait_ready(struct brood *b, uint32_t timeout_ms)
{
	VISIT(b);
	struct wait wait = {
		.brood = b, .done = ready_done, .until = time_after_ms(now_ns(), timeout_ms)
	};
	int r;

	engine_lock(b);
	channel_ours(b);
	/* a message that lies in the channel may change the answer */
	channel_read(b, NULL, NULL);
	r = wait_until(&wait);
	if (r < 0)
		r = fail_unready(b, timeout_ms);
	else if (b->state != ENGINE_RUNNING)
		r = fail_stopped();
	else if (b->lost)
		r = fail_gone();
	else if (unready_one(b))
		r = fail_degraded(b);
	else if (leaving(b))
		r = fail_with(-ESHUTDOWN,
			"brood_wait_ready: a stop signal came, and the service goes on for "
			"stop_delay_ms: it takes what comes, but asks for nothing new");
	engine_unlock(b);
	return r;
}

/* ---- a reload ---- */

struct reload_wait {
	struct wait wait; /* first member */
	uint64_t id;
};

static bool reload_done(const struct wait *wait)
{
	const struct brood *b = wait->brood;
	int result;

	return reloads_over(&b->reloads, ((const struct reload_wait *)wait)->id, &result) ||
		b->lost || b->state != ENGINE_RUNNING;
}

static int reload_result(const struct brood *b, uint64_t id)
{
	int result;

	if (reloads_over(&b->reloads, id, &result)) {
		switch (result) {
		case -EINVAL:
			return fail_with(result,
				"brood_reload_wait: %llu is no reload, or one long ago: keep what "
				"brood_reload() gave",
				(unsigned long long)id);
		case -ECANCELED:
			return fail_with(result,
				"brood_reload_wait: a later reload has superseded this one");
		case -EHOSTDOWN:
			return fail_with(result,
				"brood_reload_wait: new workers end before they are ready, and the "
				"former ones go on: the log says how");
		default: return result;
		}
	}
	return b->state != ENGINE_RUNNING ? fail_stopped() : fail_gone();
}

int engine_reload_wait(struct brood *b, uint64_t reload, uint32_t timeout_ms)
{
	VISIT(b);
	struct reload_wait wait = {
		.wait = { .brood = b,
			.done = reload_done,
			.until = time_after_ms(now_ns(), timeout_ms) },
		.id = reload,
	};
	int r;

	engine_lock(b);
	channel_ours(b);
	/* a message that lies in the channel may change the answer */
	channel_read(b, NULL, NULL);
	r = wait_until(&wait.wait);
	if (r < 0)
		r = fail_with(r,
			"brood_reload_wait: the reload goes on after %u ms: the log names who "
			"holds "
			"it up after 30 s",
			timeout_ms);
	else
		r = reload_result(b, reload);
	engine_unlock(b);
	return r;
}

/* ---- counters ---- */

static uint32_t ms_until(uint64_t when)
{
	uint64_t now = now_ns();

	return when > now ? (uint32_t)MIN((when - now) / NS_PER_MS, (uint64_t)UINT32_MAX) : 0;
}

/* The sooner of two times from now. 0 means none. */
static uint32_t sooner(uint32_t a, uint32_t b) { return a && b ? MIN(a, b) : MAX(a, b); }

static void add_page(const struct stats_page *page, struct brood_stats *s)
{
	s->died += atomic_load_explicit(&page->died, memory_order_acquire);
	s->workers += load32(&page->workers);
	s->ready += load32(&page->ready);
	s->idle += load32(&page->idle);
	s->busy += load32(&page->busy);
	s->starting += load32(&page->starting);
	s->queued += load32(&page->queued);
	s->queued_peak += load32(&page->queued_peak);
	s->degraded |= load32(&page->degraded);
	s->next_spawn_ms = sooner(s->next_spawn_ms, ms_until(load64(&page->next_spawn_ns)));
	s->redispatched += load64(&page->redispatched);
	s->retried += load64(&page->retried);
	s->spawned += load64(&page->spawned);
	s->killed += load64(&page->killed);
	s->retired += load64(&page->retired);
	s->spawn_failures += load64(&page->spawn_failures);
	s->leased += load32(&page->leased);
	s->undead += load32(&page->undead);
	s->undead_ever += load64(&page->undead_ever);
	s->leases += load64(&page->leases);
	s->leases_revoked += load64(&page->leases_revoked);
}

static void add_counts(struct brood_pool *pool, struct brood_stats *s)
{
	const struct pool_counts *c = &pool->counts;

	engine_lock(pool->brood);
	s->submitted += c->submitted;
	s->dropped += c->dropped;
	s->retried += c->retried;
	s->queued += pool->files.kept;
	engine_unlock(pool->brood);
}

static void add_pool(struct brood_pool *pool, struct brood_stats *s)
{
	add_page(pool->stats_page, s);
	add_counts(pool, s);
	queues_stats(pool, s);
	sums_add_verdicts(pool, s->verdicts);
}

int engine_stats(struct brood *b, struct brood_stats *ret)
{
	VISIT(b);
	const struct stats_page *first = b->shared.stats_page;
	struct brood_stats s = { .size = sizeof s };

	if (!ret)
		return fail_with(-EINVAL, "brood_stats: ret_stats is NULL");
	for (uint32_t i = 0; i < b->pools_count; i++)
		add_pool(&b->pools[i], &s);
	/* the counters that belong to no pool */
	s.strays_killed = load64(&first->strays_killed);
	s.guard_deaths = load64(&first->guard_deaths);
	s.spawner_deaths = load64(&first->spawner_deaths);
	s.logs_dropped = load64(&first->logs_dropped);
	s.stop_dropped = atomic_load(&b->drops.count);
	*ret = s;
	return 0;
}

int engine_pool_stats(struct brood_pool *pool, struct brood_stats *ret)
{
	struct brood *b = pool->brood;
	VISIT(b);
	struct brood_stats s = { .size = sizeof s };

	if (!ret)
		return fail_with(-EINVAL, "brood_pool_stats: ret_stats is NULL");
	add_pool(pool, &s);
	*ret = s;
	return 0;
}

uint32_t engine_pool_most(const struct brood_pool *pool)
{
	return pool->setup->own.scaling == BROOD_FIXED ? load32(&pool->stats_page->workers)
						       : pool->options->workers;
}

struct brood_pool *engine_pool(struct brood *b, const char *name)
{
	for (uint32_t i = 0; i < b->pools_count; i++)
		if (!name || strcmp(b->pools[i].setup->name, name) == 0)
			return &b->pools[i];
	return NULL;
}
