/* SPDX-License-Identifier: MIT */
/* habits.c - which functions usually need a look, with numbers in place of functions. */
#include "pool/habits.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_habits, .timeout = 20);

static struct habits h;

/* Runs a job of a function that always needs a look. Returns whether it was watched. */
static bool busy(uintptr_t fn)
{
	bool watched = habits_watch(&h, fn);

	if (watched)
		habits_note(&h, fn, true);
	return watched;
}

static uint32_t watched_of(uint32_t jobs, uintptr_t fn)
{
	uint32_t watched = 0;

	for (uint32_t i = 0; i < jobs; i++)
		watched += busy(fn);
	return watched;
}

Test(unit_habits, quiet_functions_are_watched)
{
	for (uintptr_t fn = 0; fn < 1u << 20; fn += 16) {
		cr_assert(habits_watch(&h, fn));
		habits_note(&h, fn, false);
	}
	for (uint32_t i = 0; i < HABITS; i++)
		cr_assert_eq(h.of[i].fn, 0); /* they take no place */
}

Test(unit_habits, a_busy_function_is_watched_less_and_less)
{
	cr_assert_eq(watched_of(HABITS_IN_A_ROW, 0x1000), HABITS_IN_A_ROW);
	cr_assert_eq(watched_of(HABITS_SKIP, 0x1000), 0);
	cr_assert(busy(0x1000));
	cr_assert_eq(watched_of(2 * HABITS_SKIP + 1, 0x1000), 0);
	cr_assert(busy(0x1000));
	watched_of(10000, 0x1000);
	cr_assert_leq(watched_of(256 * 100, 0x1000), 101);
	cr_assert_geq(watched_of(256 * 100, 0x1000), 99); /* now and then there is a trial */
}

Test(unit_habits, a_function_that_becomes_quiet)
{
	uint32_t jobs = 0;

	watched_of(10000, 0x1000);
	while (!habits_watch(&h, 0x1000))
		cr_assert_leq(++jobs, HABITS_SKIP_MOST);
	habits_note(&h, 0x1000, false);
	for (int i = 0; i < 1000; i++) {
		cr_assert(habits_watch(&h, 0x1000));
		habits_note(&h, 0x1000, false);
	}
}

/* Less than three in a row: the function is not busy. */
Test(unit_habits, now_and_then_is_no_habit)
{
	for (int i = 0; i < 3000; i++) {
		cr_assert(habits_watch(&h, 0x1000));
		habits_note(&h, 0x1000, i % 3 != 0);
	}
}

Test(unit_habits, an_unknown_function_is_watched) { cr_assert_eq(watched_of(1000, 0), 1000); }

/* However many functions there are: each is watched, or is known itself to be busy. */
Test(unit_habits, more_functions_than_places)
{
	for (int round = 0; round < 20; round++) {
		for (uintptr_t fn = 16; fn <= 16 * 1000; fn += 16)
			busy(fn);
		for (uintptr_t fn = 1u << 20; fn < (1u << 20) + 16 * 1000; fn += 16)
			cr_assert(habits_watch(&h, fn));
	}
}
