/* SPDX-License-Identifier: MIT */
/*
 * backoff.c - see backoff.h. Two reasons to wait, kept apart because different things end them:
 *
 *   young deaths   not_before: ended by a healthy worker.
 *   failed spawns  retry_at: the kernel has no process for us. A worker that gets through a job
 *                  is no sign that the kernel has one now: the job leaves a running pause as it is,
 *                  and only makes the next pause short again. A pause is at most a second: asking
 *                  the kernel again is cheap, a pool that stays empty is not.
 *
 * A pool is born and dies in waves: of 64 workers whose init fails, 64 die at once. All of them
 * count, but those that die while a pause runs already belong to the wave that began it and do not
 * double it again: otherwise a large pool would jump to the longest pause after one mishap.
 */
#include "backoff.h"

#define BACKOFF_RETRY_MAX_MS 1000u

/* splitmix64: any seed will do, 0 included. */
static uint64_t backoff_random(struct backoff *b)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The pause number `row` (1 is the first), in ns, with up to a quarter taken off. */
static uint64_t backoff_pause(struct backoff *b, uint32_t row, uint32_t max_ms)
{
	uint64_t ms = MAX(b->min_ms, 1u), ns;

	max_ms = MAX(max_ms, 1u);
	for (uint32_t i = 1; i < row && ms < max_ms; i++)
		ms *= 2;
	ns = MIN(ms, (uint64_t)max_ms) * NS_PER_MS;
	return ns - backoff_random(b) % (ns / 4 + 1);
}

static void backoff_count(uint32_t *counter)
{
	if (*counter < UINT32_MAX)
		(*counter)++;
}

void backoff_init(
	struct backoff *b, uint32_t min_ms, uint32_t max_ms, uint32_t limit, uint64_t seed)
{
	*b = (struct backoff){ .min_ms = min_ms, .max_ms = max_ms, .limit = limit, .random = seed };
}

void backoff_young_death(struct backoff *b, uint64_t now, uint32_t ready_workers)
{
	if (b->young == 0)
		b->row_ns = now;
	backoff_count(&b->young);
	if (ready_workers == 0 && b->limit > 0 && b->young >= b->limit)
		b->degraded = true;
	if (now < b->not_before)
		return;
	if (b->young <= BACKOFF_FREE && !b->degraded)
		return;
	backoff_count(&b->pauses);
	b->not_before = time_after_ns(now, backoff_pause(b, b->pauses, b->max_ms));
}

void backoff_spawn_failed(struct backoff *b, uint64_t now)
{
	backoff_count(&b->failures);
	b->retry_at = time_after_ns(
		now, backoff_pause(b, b->failures, MIN(b->max_ms, BACKOFF_RETRY_MAX_MS)));
}

/*
 * A worker that was ready before the row of deaths began does not end the row: it was born when all
 * was well, so it says nothing about births now.
 */
bool backoff_healthy(struct backoff *b, uint64_t ready_ns)
{
	bool was_degraded = b->degraded;

	if (b->young > 0 && ready_ns <= b->row_ns)
		return false;
	b->young = b->pauses = b->failures = 0;
	b->not_before = 0;
	b->degraded = false;
	return was_degraded;
}

void backoff_try_now(struct backoff *b) { b->not_before = 0; }

uint64_t backoff_next(const struct backoff *b) { return MAX(b->not_before, b->retry_at); }
