/* SPDX-License-Identifier: MIT */
/* times.c - the tool's own count of run times, against histograms that are right or off. */
#include "../../tools/load/times.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(unit_times, .timeout = 20);

static struct times mine;
static struct times_pool pools;

Test(unit_times, buckets_as_the_manual_has_them)
{
	cr_assert_eq(times_bucket(0), 0);
	cr_assert_eq(times_bucket(63), 0);
	cr_assert_eq(times_bucket(64), 1);
	cr_assert_eq(times_bucket(1023), 15);
	cr_assert_eq(times_bucket(1024), 16);
	cr_assert_eq(times_bucket(UINT64_MAX), BROOD_BUCKETS - 1);
	for (uint32_t i = 1; i < BROOD_BUCKETS; i++) {
		cr_assert_eq(times_bucket(times_begin_ns(i)), i);
		cr_assert_eq(times_bucket(times_begin_ns(i) - 1), i - 1);
	}
}

/* Jobs of 0 to about 4^limit us, of which the pool knows the ns. */
static void fill(uint64_t seed, unsigned jobs)
{
	struct unit_random random = { seed };

	memset(&mine, 0, sizeof mine);
	memset(&pools, 0, sizeof pools);
	for (unsigned i = 0; i < jobs; i++) {
		uint64_t ns = unit_random(&random) >> (24 + unit_below(&random, 24));
		struct brood_verdict v = { .started = 1, .attempts = 1, .run_us = ns / 1000 };

		times_add(&mine, &v);
		pools.buckets[times_bucket(ns)]++;
	}
}

Test(unit_times, right_ones_agree)
{
	uint64_t least, most, counted;

	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++) {
		fill(seed, 2000);
		cr_assert_eq(times_compare(&mine, &pools, &least, &most, &counted), BROOD_BUCKETS);
	}
}

Test(unit_times, one_bucket_off_is_found)
{
	uint64_t least, most, counted;

	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++) {
		/* ten kinds of jobs, each of which runs for about the same time */
		memset(&mine, 0, sizeof mine);
		memset(&pools, 0, sizeof pools);
		for (unsigned i = 0; i < 500; i++) {
			uint64_t ns = (seed + i % 10 * 7) * 20100000;
			struct brood_verdict v = {
				.started = 1, .attempts = 1, .run_us = ns / 1000
			};

			times_add(&mine, &v);
			pools.buckets[times_bucket(ns)]++;
		}
		cr_assert_eq(times_compare(&mine, &pools, &least, &most, &counted), BROOD_BUCKETS);
		memmove(pools.buckets + 1, pools.buckets, sizeof pools.buckets - 8);
		cr_assert_lt(times_compare(&mine, &pools, &least, &most, &counted), BROOD_BUCKETS);
		cr_assert_lt(counted, least);
	}
}

Test(unit_times, jobs_that_did_not_start_do_not_count)
{
	struct brood_verdict v = { .run_us = 5000000 };

	memset(&mine, 0, sizeof mine);
	times_add(&mine, &v);
	cr_assert_eq(mine.started, 0);
	v.started = 1;
	v.attempts = 2;
	times_add(&mine, &v);
	times_merge(&mine, &mine);
	cr_assert_eq(mine.started, 2);
	cr_assert_eq(mine.attempts, 4);
}
