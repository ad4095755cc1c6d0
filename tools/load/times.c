/* SPDX-License-Identifier: MIT */
/* times.c - see times.h. This file is pure; times_judge.c has the rest. */
#include "times.h"

#define ROOM_NS 2000000ull /* what is shorter is not compared: the margin would be too much there */
/* One time in so many may be off by more: between two looks at the clock a process may wait. */
#define ODD 50

uint32_t times_bucket(uint64_t ns)
{
	unsigned top = ns < 1024 ? 9 : 63 - (unsigned)__builtin_clzll(ns);
	uint32_t bucket = ns < 1024 ? (uint32_t)(ns / 64)
				    : 16 * (top - 9) + (uint32_t)(ns >> (top - 4) & 15);

	return bucket < BROOD_BUCKETS ? bucket : BROOD_BUCKETS - 1;
}

uint64_t times_begin_ns(uint32_t bucket)
{
	return bucket < 16 ? bucket * 64ull : (16ull + bucket % 16) << (bucket / 16 + 5);
}

void times_add_long(struct times *t, uint64_t run_us)
{
	t->early[times_bucket(run_us * 1000 - TIMES_MARGIN_NS)]++;
	t->late[times_bucket((run_us + 1) * 1000 + TIMES_MARGIN_NS)]++;
}

void times_merge(struct times *inout, const struct times *other)
{
	inout->started += other->started;
	inout->attempts += other->attempts;
	inout->brief += other->brief;
	for (uint32_t i = 0; i < BROOD_BUCKETS; i++) {
		inout->early[i] += other->early[i];
		inout->late[i] += other->late[i];
	}
}

uint32_t times_compare(const struct times *t, const struct times_pool *pool, uint64_t *ret_least,
	uint64_t *ret_most, uint64_t *ret_counted)
{
	uint64_t all = 0, slack = t->attempts - t->started + t->started / ODD + 2;

	for (uint32_t i = 0; i < BROOD_BUCKETS; i++)
		all += pool->buckets[i];
	slack += all > t->started ? all - t->started : t->started - all;
	*ret_least = *ret_most = t->brief;
	*ret_counted = 0;
	for (uint32_t i = 0; i < BROOD_BUCKETS; i++) {
		bool wrong = *ret_counted + slack < *ret_least || *ret_counted > *ret_most + slack;

		if (wrong && times_begin_ns(i) >= ROOM_NS)
			return i;
		*ret_least += t->late[i];
		*ret_most += t->early[i];
		*ret_counted += pool->buckets[i];
	}
	return BROOD_BUCKETS;
}
