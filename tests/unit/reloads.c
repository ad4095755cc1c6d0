/* SPDX-License-Identifier: MIT */
/* reloads.c - what the engine knows of reloads. */
#include "engine/reloads.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <errno.h>

TestSuite(unit_reloads, .timeout = 20);

static int result_of(const struct reloads *r, uint64_t id)
{
	int result = 1; /* goes on */

	reloads_over(r, id, &result);
	return result;
}

Test(unit_reloads, one_pool)
{
	struct reloads r = { 0 };
	uint64_t id = reloads_add(&r, 0, 3);

	cr_assert_eq(id, 1);
	cr_assert_eq(result_of(&r, id), 1);
	reloads_hear(&r, id, 0);
	cr_assert_eq(result_of(&r, id), 0);
	reloads_hear(&r, id, -EHOSTDOWN);
	cr_assert_eq(result_of(&r, id), 0, "said twice");
	cr_assert_eq(result_of(&r, 0), -EINVAL);
	cr_assert_eq(result_of(&r, 2), -EINVAL);
}

Test(unit_reloads, all_pools)
{
	struct reloads r = { 0 };
	uint64_t id = reloads_add(&r, MESSAGE_ALL_POOLS, 3);

	reloads_hear(&r, id, 0);
	reloads_hear(&r, id, -EHOSTDOWN);
	cr_assert_eq(result_of(&r, id), 1, "the third has not said");
	reloads_hear(&r, id, 0);
	cr_assert_eq(result_of(&r, id), -EHOSTDOWN);
}

Test(unit_reloads, superseded)
{
	struct reloads r = { 0 };
	uint64_t first = reloads_add(&r, 0, 2), other = reloads_add(&r, 1, 2), all, last;

	cr_assert_eq(result_of(&r, first), 1, "the other pool's supersedes nothing");
	all = reloads_add(&r, MESSAGE_ALL_POOLS, 2);
	cr_assert_eq(result_of(&r, first), -ECANCELED);
	cr_assert_eq(result_of(&r, other), -ECANCELED);
	last = reloads_add(&r, 1, 2);
	cr_assert_eq(result_of(&r, all), -ECANCELED);
	reloads_hear(&r, all, 0);
	cr_assert_eq(result_of(&r, all), -ECANCELED, "said too late");
	reloads_hear(&r, last, 0);
	cr_assert_eq(result_of(&r, last), 0);
}

Test(unit_reloads, old_ones_are_forgotten)
{
	struct reloads r = { 0 };

	for (int i = 0; i < RELOADS_KEPT + 1; i++)
		reloads_hear(&r, reloads_add(&r, 0, 1), 0);
	cr_assert_eq(result_of(&r, 1), -EINVAL);
	cr_assert_eq(result_of(&r, 2), 0);
	cr_assert_eq(result_of(&r, RELOADS_KEPT + 1), 0);
}
