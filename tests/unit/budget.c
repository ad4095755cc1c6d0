/* SPDX-License-Identifier: MIT */
/* budget.c - how many retries a pool may make; with a clock of its own. */
#include "base/base.h"
#include "pool/budget.h"

#include <criterion/criterion.h>

TestSuite(unit_budget, .timeout = 60);

static struct budget budget;

static uint32_t take_all(uint64_t now)
{
	uint32_t n = 0;

	while (n < 100000 && budget_take(&budget, now))
		n++;
	return n;
}

Test(unit_budget, full_at_first)
{
	cr_assert_eq(take_all(5 * NS_PER_S), BUDGET_KEPT);
	cr_assert_not(budget_take(&budget, 5 * NS_PER_S));
}

Test(unit_budget, some_a_second)
{
	take_all(NS_PER_S);
	cr_assert_not(budget_take(&budget, NS_PER_S + 99 * NS_PER_MS));
	cr_assert(budget_take(&budget, NS_PER_S + 100 * NS_PER_MS), "a tenth of a second is one");
	cr_assert_not(budget_take(&budget, NS_PER_S + 100 * NS_PER_MS));
	cr_assert_eq(take_all(2 * NS_PER_S), BUDGET_PER_S - 1);
	cr_assert_eq(take_all(1000 * NS_PER_S), BUDGET_KEPT, "no more is kept");
}

Test(unit_budget, no_time_is_lost_by_looking_often)
{
	uint32_t n = 0;

	take_all(0);
	for (uint64_t now = 0; now < 10 * NS_PER_S; now += 333 * NS_PER_US)
		n += budget_take(&budget, now);
	cr_assert_geq(n, 10 * BUDGET_PER_S - 1);
	cr_assert_leq(n, 10 * BUDGET_PER_S);
}

Test(unit_budget, a_share_of_the_jobs)
{
	take_all(0);
	budget_earn(&budget, 20, 4);
	cr_assert_not(budget_take(&budget, 0));
	budget_earn(&budget, 20, 5);
	cr_assert(budget_take(&budget, 0), "five jobs are worth one");
	budget_earn(&budget, 20, 5);
	cr_assert_not(budget_take(&budget, 0), "each job counts once");
	budget_earn(&budget, 20, 105);
	cr_assert_eq(take_all(0), 20);
	budget_earn(&budget, 20, UINT64_MAX);
	cr_assert_eq(take_all(0), BUDGET_KEPT);
	budget_earn(&budget, 20, 0);
	cr_assert_not(budget_take(&budget, 0), "a count that goes back is worth nothing");
}

Test(unit_budget, all_shares)
{
	take_all(0);
	budget_earn(&budget, 1, 99);
	cr_assert_not(budget_take(&budget, 0));
	budget_earn(&budget, 1, 100);
	cr_assert(budget_take(&budget, 0));
	budget_earn(&budget, BUDGET_MOST, 101);
	cr_assert_eq(take_all(0), 100, "one job is worth a hundred");
}

/* A storm: each attempt of 1000 jobs a second fails, and each would like to run again. */
Test(unit_budget, a_storm_cannot_double_itself)
{
	uint64_t jobs = 0, retries = 0;

	for (uint64_t now = 0; now < 60 * NS_PER_S; now += NS_PER_MS) {
		budget_earn(&budget, BUDGET_PERCENT, ++jobs);
		retries += budget_take(&budget, now);
	}
	cr_assert_leq(retries, jobs / 5 + 60 * BUDGET_PER_S + BUDGET_KEPT);
	cr_assert_geq(retries, jobs / 5 + 59 * BUDGET_PER_S, "and has its share");
}

Test(unit_budget, a_clock_that_goes_back)
{
	take_all(10 * NS_PER_S);
	cr_assert_not(budget_take(&budget, NS_PER_S));
	cr_assert_eq(take_all(11 * NS_PER_S), BUDGET_PER_S);
}

Test(unit_budget, kills_from_outside_are_free)
{
	struct brood_verdict v = { .outcome = BROOD_CRASHED, .detail = BROOD_DETAIL_OUTSIDE };

	cr_assert_not(budget_counts(&v));
	v.detail = BROOD_DETAIL_NONE;
	cr_assert(budget_counts(&v));
	v.detail = BROOD_DETAIL_OOM;
	cr_assert(budget_counts(&v),
		"retries of a job that takes all memory are what the cap is for");
	v.outcome = BROOD_TIMED_OUT;
	cr_assert(budget_counts(&v));
}
