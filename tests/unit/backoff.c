/* SPDX-License-Identifier: MIT */
/* backoff.c - the pauses between births, with a fake clock. */
#include "pool/backoff.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_backoff, .timeout = 20);

#define AT (1000 * NS_PER_S)

/* Jitter may shorten the pause by up to a quarter, and no more. */
static void expect_pause(const struct backoff *b, uint64_t now, uint64_t ms)
{
	uint64_t pause = backoff_next(b) - now;

	cr_assert_leq(pause, ms * NS_PER_MS);
	cr_assert_geq(pause, ms * NS_PER_MS * 3 / 4 - 1, "%lu ns for %lu ms", (unsigned long)pause,
		(unsigned long)ms);
}

/* One worker after another dies as soon as it may be born. */
static uint64_t die(struct backoff *b, uint64_t now, int times)
{
	for (int i = 0; i < times; i++) {
		now = MAX(now, backoff_next(b));
		backoff_young_death(b, now, 0);
	}
	return now;
}

Test(unit_backoff, three_are_free_then_it_doubles)
{
	static const uint64_t pauses[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
	struct backoff b;
	uint64_t now = AT;

	backoff_init(&b, 100, 5000, 1000, 1);
	cr_assert_eq(backoff_next(&b), 0);
	now = die(&b, now, BACKOFF_FREE);
	cr_assert_eq(now, AT);
	cr_assert_eq(backoff_next(&b), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		now = die(&b, now, 1);
		expect_pause(&b, now, pauses[i]);
	}
	cr_assert_not(b.degraded);
}

Test(unit_backoff, health_sets_it_back)
{
	struct backoff b;
	uint64_t now;

	backoff_init(&b, 100, 5000, 6, 2);
	now = die(&b, AT, 5);
	cr_assert_not(backoff_healthy(&b, now + 1), "it was not degraded");
	cr_assert_eq(backoff_next(&b), 0);
	now = die(&b, now, BACKOFF_FREE);
	cr_assert_eq(backoff_next(&b), 0);
	now = die(&b, now, 1);
	expect_pause(&b, now, 100);
	now = die(&b, now, 2);
	cr_assert(b.degraded);
	cr_assert(backoff_healthy(&b, now + 1), "it was degraded and is no more");
	cr_assert_not(b.degraded);
	cr_assert_not(backoff_healthy(&b, now + 1));
}

/* What an old worker does says nothing about new ones. */
Test(unit_backoff, one_born_before_the_row_sets_nothing_back)
{
	struct backoff b;
	uint64_t now;

	backoff_init(&b, 100, 5000, 100, 8);
	now = die(&b, AT, BACKOFF_FREE + 1);
	backoff_healthy(&b, AT - 1);
	backoff_healthy(&b, AT);
	cr_assert_eq(b.young, BACKOFF_FREE + 1);
	expect_pause(&b, now, 100);
	backoff_healthy(&b, AT + 1); /* born within the row of deaths: a birth has gone well */
	cr_assert_eq(b.young, 0);
	cr_assert_eq(backoff_next(&b), 0);
	/* it is an old worker for the next row */
	die(&b, AT + 2, BACKOFF_FREE + 1);
	backoff_healthy(&b, AT + 1);
	cr_assert_eq(b.young, BACKOFF_FREE + 1);
}

Test(unit_backoff, degraded_only_while_nobody_is_ready)
{
	struct backoff b;

	backoff_init(&b, 100, 5000, 5, 3);
	for (int i = 0; i < 50; i++)
		backoff_young_death(&b, AT, 1);
	cr_assert_not(b.degraded);
	backoff_young_death(&b, AT, 0);
	cr_assert(b.degraded);
}

Test(unit_backoff, a_limit_below_the_free_ones_still_pauses)
{
	struct backoff b;

	backoff_init(&b, 100, 5000, 1, 4);
	backoff_young_death(&b, AT, 0);
	cr_assert(b.degraded);
	expect_pause(&b, AT, 100);
}

Test(unit_backoff, a_wave_doubles_once)
{
	struct backoff b;
	uint64_t now = AT, next;

	backoff_init(&b, 100, 30000, 1000, 5);
	for (uint64_t wave = 0; wave < 4; wave++) {
		for (int i = 0; i < 64; i++)
			backoff_young_death(&b, now + (uint64_t)i, 0);
		next = backoff_next(&b);
		cr_assert_leq(next - now, (100ull << wave) * NS_PER_MS + 64);
		cr_assert_geq(next - now, (75ull << wave) * NS_PER_MS);
		now = next;
	}
	cr_assert_eq(b.young, 4 * 64, "all count, for the limit");
}

Test(unit_backoff, failed_spawns_pause_but_degrade_nobody)
{
	static const uint64_t pauses[] = { 100, 200, 400, 800, 1000, 1000 };
	struct backoff b;
	uint64_t now = AT;

	backoff_init(&b, 100, 30000, 3, 6);
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		backoff_spawn_failed(&b, now);
		expect_pause(&b, now, pauses[i]);
		now = backoff_next(&b);
	}
	cr_assert_not(b.degraded);
	cr_assert_not(backoff_healthy(&b, now));
	cr_assert_eq(backoff_next(&b), now,
		"a worker that is well says nothing about what the kernel has: the pause stays");
	backoff_spawn_failed(&b, now);
	expect_pause(&b, now, 100);
}

Test(unit_backoff, the_longer_of_both_pauses_counts)
{
	struct backoff b;
	uint64_t now = die((backoff_init(&b, 1000, 30000, 100, 7), &b), AT, BACKOFF_FREE + 2);

	expect_pause(&b, now, 2000);
	backoff_spawn_failed(&b, now);
	expect_pause(&b, now, 2000);
}

Test(unit_backoff, jitter_differs_and_repeats_by_seed)
{
	struct backoff a, b, c;

	backoff_init(&a, 1000, 30000, 100, 0);
	backoff_init(&b, 1000, 30000, 100, 0);
	backoff_init(&c, 1000, 30000, 100, 1);
	die(&a, AT, 4);
	die(&b, AT, 4);
	die(&c, AT, 4);
	cr_assert_eq(backoff_next(&a), backoff_next(&b));
	cr_assert_neq(backoff_next(&a), backoff_next(&c));
}

Test(unit_backoff, edges)
{
	struct backoff b;

	backoff_init(&b, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX);
	for (int i = 0; i < 100; i++)
		backoff_young_death(&b, MAX(AT, b.not_before), 0);
	cr_assert_gt(backoff_next(&b), AT, "the longest pauses do not wrap");
	backoff_init(&b, 0, 0, 0, 0);
	for (int i = 0; i < 100; i++) {
		uint64_t now = MAX(AT, b.not_before);

		backoff_young_death(&b, now, 0);
		cr_assert(
			i < BACKOFF_FREE || backoff_next(&b) > now, "never a loop without a pause");
	}
	cr_assert_not(b.degraded, "no limit");
	b.young = b.pauses = b.failures = UINT32_MAX;
	b.not_before = b.retry_at = 0;
	backoff_young_death(&b, TIME_NEVER - 1, 0);
	backoff_spawn_failed(&b, TIME_NEVER - 1);
	cr_assert_eq(b.young, UINT32_MAX, "counters stop at their end");
	cr_assert_eq(backoff_next(&b), TIME_NEVER);
}

Test(unit_backoff, a_new_reason_ends_the_pause)
{
	struct backoff b;
	uint64_t now;

	backoff_init(&b, 100, 5000, 6, 2);
	now = die(&b, AT, BACKOFF_FREE + 2);
	cr_assert_gt(backoff_next(&b), now);
	backoff_try_now(&b);
	cr_assert_eq(backoff_next(&b), 0);
	now = die(&b, now, 1);
	expect_pause(&b, now, 400);
}
