/* SPDX-License-Identifier: MIT */
/* turns.c - who comes first: all are served in each round, and nobody is always the first. */
#include "base/base.h"
#include "pool/turns.h"

#include <criterion/criterion.h>

TestSuite(unit_turns, .timeout = 20);

#define COUNT_MAX 64u

static void check_round(uint32_t first, uint32_t count)
{
	uint64_t seen = 0;

	for (uint32_t n = 0; n < count; n++)
		seen |= UINT64_C(1) << turns_at(first, n, count);
	cr_assert_eq(seen, UINT64_MAX >> (64 - count), "first %u of %u", first, count);
}

Test(unit_turns, all_are_served_in_each_round)
{
	static const uint32_t odd[] = { 1u << 31, UINT32_MAX - 1, UINT32_MAX };

	for (uint32_t count = 1; count <= COUNT_MAX; count++) {
		for (uint32_t first = 0; first < 3 * count; first++)
			check_round(first, count);
		for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
			check_round(odd[i], count);
	}
}

Test(unit_turns, each_is_the_first_once_before_one_is_again)
{
	for (uint32_t count = 1; count <= COUNT_MAX; count++) {
		uint64_t seen = 0;
		uint32_t turn = 7;

		for (uint32_t round = 0; round < count; round++, turn++)
			seen |= UINT64_C(1) << turns_at(turn, 0, count);
		cr_assert_eq(seen, UINT64_MAX >> (64 - count));
	}
}

/* Of those who take all that there is, each takes it once before one takes it again. */
Test(unit_turns, who_was_stopped_comes_last)
{
	for (uint32_t count = 1; count <= COUNT_MAX; count++) {
		uint32_t turn = 0, served[COUNT_MAX] = { 0 };

		for (uint32_t round = 0; round < 10 * count; round++) {
			uint32_t first = turns_at(turn, 0, count);

			served[first]++;
			turn = turns_after(first);
		}
		for (uint32_t i = 0; i < count; i++)
			cr_assert_eq(served[i], 10);
	}
}
