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

static uint64_t send_one(struct reloads *r, uint32_t pool, uint32_t pools)
{
	uint64_t id = reloads_add(r, pool, pools);

	reloads_sent(r, id);
	return id;
}

Test(unit_reloads, one_pool)
{
	struct reloads r = { 0 };
	uint64_t id = reloads_add(&r, 0, 3);

	cr_assert_eq(id, 1);
	cr_assert_eq(result_of(&r, id), 1);
	reloads_hear(&r, id, 1, 0);
	reloads_hear(&r, id, UINT32_MAX, 0);
	cr_assert_eq(result_of(&r, id), 1, "another pool's word");
	reloads_hear(&r, id, 0, 0);
	cr_assert_eq(result_of(&r, id), 0);
	reloads_hear(&r, id, 0, -EHOSTDOWN);
	cr_assert_eq(result_of(&r, id), 0, "said twice");
	cr_assert_eq(result_of(&r, 0), -EINVAL);
	cr_assert_eq(result_of(&r, 2), -EINVAL);
}

Test(unit_reloads, all_pools)
{
	struct reloads r = { 0 };
	uint64_t id = reloads_add(&r, MESSAGE_ALL_POOLS, 3);

	reloads_hear(&r, id, 0, 0);
	reloads_hear(&r, id, 1, -EHOSTDOWN);
	reloads_hear(&r, id, 1, 0);
	cr_assert_eq(result_of(&r, id), 1, "the third has not said");
	reloads_hear(&r, id, 2, 0);
	cr_assert_eq(result_of(&r, id), -EHOSTDOWN);
}

Test(unit_reloads, superseded)
{
	struct reloads r = { 0 };
	uint64_t first = send_one(&r, 0, 2), other = send_one(&r, 1, 2), all, last;

	cr_assert_eq(result_of(&r, first), 1, "the other pool's supersedes nothing");
	all = send_one(&r, MESSAGE_ALL_POOLS, 2);
	cr_assert_eq(result_of(&r, first), -ECANCELED);
	cr_assert_eq(result_of(&r, other), -ECANCELED);
	last = send_one(&r, 1, 2);
	cr_assert_eq(result_of(&r, all), 1, "it goes on in the first pool");
	reloads_hear(&r, all, 1, 0);
	cr_assert_eq(result_of(&r, all), 1, "said too late");
	reloads_hear(&r, all, 0, 0);
	cr_assert_eq(result_of(&r, all), -ECANCELED);
	reloads_hear(&r, last, 1, 0);
	cr_assert_eq(result_of(&r, last), 0);
}

Test(unit_reloads, a_failure_is_heard_also_where_another_pool_was_reloaded_again)
{
	struct reloads r = { 0 };
	uint64_t all = send_one(&r, MESSAGE_ALL_POOLS, BROOD_POOLS_MAX), other;

	send_one(&r, 63, BROOD_POOLS_MAX);
	for (uint32_t pool = 0; pool < 63; pool++) {
		cr_assert_eq(result_of(&r, all), 1, "pool %u has not said", pool);
		reloads_hear(&r, all, pool, pool == 7 ? -EHOSTDOWN : 0);
	}
	cr_assert_eq(result_of(&r, all), -EHOSTDOWN);
	other = send_one(&r, MESSAGE_ALL_POOLS, 2);
	reloads_hear(&r, other, 0, -EHOSTDOWN);
	send_one(&r, 1, 2);
	cr_assert_eq(result_of(&r, other), -EHOSTDOWN, "the failure came first");
}

Test(unit_reloads, one_that_is_not_sent_supersedes_nothing)
{
	struct reloads r = { 0 };
	uint64_t first = send_one(&r, 0, 1), second = reloads_add(&r, 0, 1), third;

	reloads_unsent(&r, second, -EIO);
	cr_assert_eq(result_of(&r, second), -EIO);
	cr_assert_eq(result_of(&r, first), 1, "it goes on");
	second = reloads_add(&r, 0, 1);
	third = send_one(&r, 0, 1);
	reloads_sent(&r, second); /* its send took longer */
	cr_assert_eq(result_of(&r, second), -ECANCELED);
	cr_assert_eq(result_of(&r, third), 1, "a later one is not superseded");
}

Test(unit_reloads, old_ones_are_forgotten)
{
	struct reloads r = { 0 };

	for (int i = 0; i < RELOADS_KEPT + 1; i++)
		reloads_hear(&r, reloads_add(&r, 0, 1), 0, 0);
	cr_assert_eq(result_of(&r, 1), -EINVAL);
	cr_assert_eq(result_of(&r, 2), 0);
	cr_assert_eq(result_of(&r, RELOADS_KEPT + 1), 0);
}
