/* SPDX-License-Identifier: MIT */
/*
 * backoff.h - when to spawn again. A death is young when the worker was not ready yet, or ended by
 * itself before its first job within healthy_ms. The first three in a row cost nothing (a kill that
 * happens to hit a birth is no crash loop), then the pause doubles from min to max, with up to a
 * quarter of jitter taken off. A worker that is ready for healthy_ms, or through one job, ends the
 * row and the pause, if it was born after the row began. After start_limit young deaths in a row,
 * with no worker ready, the pool is degraded. Deaths while a pause runs are of the wave that began
 * the pause: they count, but do not double it again.
 */
#ifndef BROOD_POOL_BACKOFF_H
#define BROOD_POOL_BACKOFF_H

#include "../base/base.h"

#define BACKOFF_FREE 3
struct backoff {
	uint32_t min_ms, max_ms, limit;
	/*
	 * young: young deaths in a row. pauses: pauses for them. failures: failed spawns in a row.
	 */
	uint32_t young, pauses, failures;
	uint64_t row_ns; /* when the first of these young deaths was */
	/* When the pause for young deaths ends, and that for failed spawns. */
	uint64_t not_before, retry_at;
	uint64_t random;
	bool degraded;
};
void backoff_init(
	struct backoff *b, uint32_t min_ms, uint32_t max_ms, uint32_t limit, uint64_t seed);
/* Counts a young death; may set degraded. */
void backoff_young_death(struct backoff *b, uint64_t now, uint32_t ready_workers);
/* The fork failed: pause for at most 1 s. The pool is not degraded by it. */
void backoff_spawn_failed(struct backoff *b, uint64_t now);
/* Called when births have a reason to go better now: ends the pause for young deaths. */
void backoff_try_now(struct backoff *b);
/* A worker that became ready at ready_ns is well. True: the pool was degraded and is no more. */
bool backoff_healthy(struct backoff *b, uint64_t ready_ns);
/* No worker is born before this time; 0: at once. */
uint64_t backoff_next(const struct backoff *b);

#endif
