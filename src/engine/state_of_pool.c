/* SPDX-License-Identifier: MIT */
/*
 * state_of_pool.c - what the program asks about the pool: brood_wait_ready() and brood_stats().
 */
#include "channel.h"
#include "queues.h"
#include "engine_root.h"
#include "wait.h"

static uint32_t load32(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static uint64_t load64(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

/* Told by a message, so that a waiter wakes; whether it still holds, the stats page says. */
static bool is_degraded(const struct brood *b)
{
	return b->degraded && load32(&b->shared.stats_page->degraded);
}

static bool ready_done(const struct wait *wait)
{
	const struct brood *b = wait->brood;

	return b->ready || is_degraded(b) || b->lost || b->state != ENGINE_RUNNING;
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
	/* what is known already may have a different answer by now */
	channel_read(b, NULL, NULL);
	r = wait_until(&wait);
	if (r < 0)
		r = fail_with(r,
			"brood_wait_ready: the pool is not ready after %u ms: is worker_init slow? "
			"init_ms bounds it",
			timeout_ms);
	else if (b->state != ENGINE_RUNNING)
		r = fail_stopped();
	else if (b->lost)
		r = fail_gone();
	else if (!b->ready)
		r = fail_with(-EHOSTDOWN,
			"brood_wait_ready: the pool is degraded, its workers die at birth: the log "
			"says how. It tries again by itself");
	engine_unlock(b);
	return r;
}

static uint32_t ms_until(uint64_t when)
{
	uint64_t now = now_ns();

	return when > now ? (uint32_t)MIN((when - now) / NS_PER_MS, (uint64_t)UINT32_MAX) : 0;
}

static void stats_of_page(const struct stats_page *stats_page, struct brood_stats *s)
{
	s->died = atomic_load_explicit(&stats_page->died, memory_order_acquire);
	s->ready = load32(&stats_page->ready);
	s->idle = load32(&stats_page->idle);
	s->busy = load32(&stats_page->busy);
	s->starting = load32(&stats_page->starting);
	s->queued = load32(&stats_page->queued);
	s->queued_peak = load32(&stats_page->queued_peak);
	s->degraded = load32(&stats_page->degraded);
	s->next_spawn_ms = ms_until(load64(&stats_page->next_spawn_ns));
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		s->verdicts[i] = load64(&stats_page->verdicts[i]);
	s->redispatched = load64(&stats_page->redispatched);
	s->retried = load64(&stats_page->retried);
	s->spawned = load64(&stats_page->spawned);
	s->killed = load64(&stats_page->killed);
	s->retired = load64(&stats_page->retired);
	s->spawn_failures = load64(&stats_page->spawn_failures);
	s->strays_killed = load64(&stats_page->strays_killed);
	s->guard_deaths = load64(&stats_page->guard_deaths);
	s->logs_dropped = load64(&stats_page->logs_dropped);
	s->leased = load32(&stats_page->leased);
	s->undead = load32(&stats_page->undead);
	s->undead_ever = load64(&stats_page->undead_ever);
	s->leases = load64(&stats_page->leases);
	s->leases_revoked = load64(&stats_page->leases_revoked);
}

int engine_stats(struct brood *b, struct brood_stats *ret)
{
	VISIT(b);
	struct brood_stats s = { .size = sizeof s, .workers = b->options.workers };

	if (!ret)
		return fail_with(-EINVAL, "brood_stats: ret_stats is NULL");
	stats_of_page(b->shared.stats_page, &s);
	engine_lock(b);
	s.submitted = b->submitted;
	s.dropped = b->dropped;
	s.stop_dropped = atomic_load(&b->drops.count);
	/* A retried attempt had a verdict of its own, which nobody but the library saw. */
	s.retried += b->retried;
	s.verdicts[BROOD_CRASHED] -= MIN(b->retried, s.verdicts[BROOD_CRASHED]);
	s.verdicts[BROOD_REFUSED] += b->refused;
	s.verdicts[BROOD_LOST] += b->lost_jobs;
	engine_unlock(b);
	queues_stats(b, &s);
	*ret = s;
	return 0;
}
