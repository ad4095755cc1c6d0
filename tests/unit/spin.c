/* SPDX-License-Identifier: MIT */
/* spin.c - for how long a thread spins, and when a worker steps aside: with a fake clock. */
#include "pool/packed.h"
#include "pool/spin.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(unit_spin, .timeout = 60);

#define AT (1000 * NS_PER_S)

/* Spins in vain for all that the purse allows. Returns for how long. */
static uint64_t miss(struct spin *spin, uint64_t now)
{
	uint32_t budget = spin_budget(spin, now);

	if (budget > 0)
		spin_ended(spin, budget, false);
	return budget;
}

Test(unit_spin, a_new_purse_is_full)
{
	struct spin spin = { 0 };

	cr_assert_eq(spin_budget(&spin, AT), SPIN_PURSE_NS / 2);
}

Test(unit_spin, misses_make_spins_shorter_until_there_are_none)
{
	struct spin spin = { 0 };
	uint64_t before = miss(&spin, AT), sum = before;

	for (int i = 0; i < 20; i++) {
		uint64_t budget = miss(&spin, AT);

		cr_assert_leq(budget, before / 2 + 1);
		before = budget;
		sum += budget;
	}
	cr_assert_eq(before, 0);
	cr_assert_leq(sum, SPIN_PURSE_NS);
}

Test(unit_spin, misses_cost_a_small_share_of_the_time)
{
	struct spin spin = { 0 };
	uint64_t sum = 0, longest = 0;

	for (uint64_t now = AT; now < AT + NS_PER_S; now += 10 * NS_PER_US) {
		uint64_t took = miss(&spin, now);

		sum += took;
		longest += took == SPIN_PURSE_NS / 2;
	}
	cr_assert_leq(sum, NS_PER_S / SPIN_FILL_NS * SPIN_PURSE_NS);
	/* and the thread does try again and again, long enough for an answer of one that sleeps */
	cr_assert_eq(longest, NS_PER_S / SPIN_FILL_NS);
}

Test(unit_spin, a_few_short_hits_make_spins_long_again)
{
	struct spin spin = { 0 };
	int hits = 0;

	for (int i = 0; i < 20; i++)
		miss(&spin, AT);
	while (spin_budget(&spin, AT) < SPIN_PURSE_NS / 2) {
		spin_ended(&spin, 1000, true);
		cr_assert_leq(++hits, 12);
	}
}

Test(unit_spin, hits_that_take_longer_than_a_wake_up_are_no_gain)
{
	struct spin spin = { 0 };
	int hits = 0;

	while (spin_budget(&spin, AT) >= 2 * SPIN_GAIN_NS) {
		spin_ended(&spin, 2 * SPIN_GAIN_NS, true);
		cr_assert_leq(++hits, (int)(SPIN_PURSE_NS / SPIN_GAIN_NS));
	}
}

Test(unit_spin, whatever_comes_the_purse_stays_within_its_bounds)
{
	struct spin spin = { 0 };
	uint64_t now = AT;

	srandom(1);
	for (int i = 0; i < 100000; i++) {
		uint64_t step = (uint64_t)random() % (1u << random() % 24);
		uint32_t budget;

		now = random() % 16 ? now + step
				    : now - MIN(step, now); /* a clock that goes back */
		budget = spin_budget(&spin, now);
		cr_assert_leq(budget, SPIN_PURSE_NS / 2);
		cr_assert(budget == 0 || budget >= SPIN_LEAST_NS);
		/* a thread that lost its CPU meanwhile has taken longer than it might */
		spin_ended(&spin, (uint64_t)random() % 400000, random() % 2);
		cr_assert_leq(spin.purse_ns, SPIN_PURSE_NS);
	}
}

Test(unit_spin, a_peer_that_is_met_fills_the_purse_now_and_then)
{
	struct spin spin = { 0 };
	uint64_t filled = 0;

	for (uint64_t now = AT; now < AT + NS_PER_S; now += NS_PER_MS / 10) {
		while (miss(&spin, now) > 0)
			;
		spin_met(&spin, now + 1);
		filled += spin_budget(&spin, now + 1) == SPIN_PURSE_NS / 2;
	}
	cr_assert_leq(filled, NS_PER_S / SPIN_MET_NS);
	cr_assert_geq(filled, NS_PER_S / SPIN_MET_NS / 2);
}

/* ---- packed on one CPU ---- */

/* Sleeps beside the engine so often, with such pauses. Returns how many steps were due. */
static int sleeps(struct packed *packed, uint64_t *now, int count, uint64_t each_ns)
{
	int steps = 0;

	for (int i = 0; i < count; i++) {
		steps += packed_step_due(packed, *now);
		*now += each_ns;
	}
	return steps;
}

Test(unit_packed, the_first_step_comes_soon)
{
	struct packed packed = { 0 };
	uint64_t now = AT;

	cr_assert_eq(sleeps(&packed, &now, PACKED_SLEEPS - 1, 5000), 0);
	cr_assert_eq(sleeps(&packed, &now, 1, 5000), 1);
}

Test(unit_packed, a_worker_that_sleeps_seldom_stays)
{
	struct packed packed = { 0 };
	uint64_t now = AT;

	cr_assert_eq(sleeps(&packed, &now, 10000, 2 * PACKED_EACH_NS), 0);
}

Test(unit_packed, steps_in_vain_become_rare)
{
	struct packed packed = { 0 };
	uint64_t now = AT;

	/* 20 seconds: 2 ms, 4, 8 ... 2 s, and then one in 2 s */
	cr_assert_leq(sleeps(&packed, &now, 4000000, 5000), 22);
	cr_assert_eq(packed.pause_ns, PACKED_LAST_NS);
	cr_assert_geq(sleeps(&packed, &now, 4000000, 5000), 8);
}

Test(unit_packed, a_step_that_was_worth_it_is_made_again_at_once)
{
	struct packed packed = { 0 };
	uint64_t now = AT;

	sleeps(&packed, &now, 400000, 5000);
	cr_assert_gt(packed.pause_ns, PACKED_FIRST_NS);
	now += (PACKED_KEPT + 1) * PACKED_LAST_NS; /* apart all that time */
	cr_assert_eq(sleeps(&packed, &now, PACKED_SLEEPS, 5000), 1);
	cr_assert_eq(packed.pause_ns, PACKED_FIRST_NS);
}
