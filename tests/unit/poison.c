/* SPDX-License-Identifier: MIT */
/* poison.c - which keys are on the poison list, and what it forgets; with a clock of its own. */
#include "base/base.h"
#include "pool/poison.h"

#include <criterion/criterion.h>

TestSuite(unit_poison, .timeout = 60);

#define S NS_PER_S

static struct poison list;
static const struct poison_rule three = { .after = 3, .within_ns = 60 * S, .forget_ns = 600 * S };

static bool fault(uint64_t key, uint64_t second)
{
	return poison_fault(&list, &three, key, second * S);
}

static bool has(uint64_t key, uint64_t second) { return poison_has(&list, key, second * S); }

Test(unit_poison, the_third_fault_lists_a_key)
{
	cr_assert_not(has(7, 1));
	cr_assert_not(fault(7, 1));
	cr_assert_not(fault(7, 2));
	cr_assert_not(has(7, 2));
	cr_assert(fault(7, 3));
	cr_assert(has(7, 3));
	cr_assert_not(has(8, 3), "another key");
	cr_assert_eq(list.listed, 1);
}

Test(unit_poison, only_within_the_time)
{
	fault(7, 0);
	fault(7, 50);
	cr_assert_not(fault(7, 61), "the first is 61 s ago");
	cr_assert(fault(7, 110), "three in 60 s");
}

Test(unit_poison, the_edges_of_the_times)
{
	fault(7, 10);
	fault(7, 20);
	cr_assert(fault(7, 70), "60 s are within 60 s");
	cr_assert(has(7, 669));
	cr_assert_not(has(7, 670), "forgotten");
}

Test(unit_poison, forgets_all_of_a_key)
{
	for (int i = 1; i <= 3; i++)
		fault(7, 1);
	cr_assert(has(7, 600));
	cr_assert_not(has(7, 601));
	cr_assert_eq(list.listed, 0);
	cr_assert_not(fault(7, 601), "it begins from nothing");
	cr_assert_not(fault(7, 601));
	cr_assert(fault(7, 601), "and is listed again");
}

Test(unit_poison, faults_of_a_listed_key_add_nothing)
{
	for (int i = 1; i <= 3; i++)
		fault(7, 1);
	for (uint64_t second = 2; second < 600; second += 10)
		cr_assert_not(fault(7, second), "listed once");
	cr_assert_not(has(7, 601), "and not for longer");
}

Test(unit_poison, off_and_without_a_key)
{
	struct poison_rule off = { .after = 0, .within_ns = S, .forget_ns = S };

	for (int i = 0; i < 10; i++) {
		cr_assert_not(poison_fault(&list, &off, 7, S));
		cr_assert_not(fault(0, 1));
	}
	cr_assert_not(has(7, 1));
	cr_assert_not(has(0, 1));
}

Test(unit_poison, at_once)
{
	struct poison_rule once = { .after = 1, .within_ns = S, .forget_ns = S };

	cr_assert(poison_fault(&list, &once, 7, S));
	cr_assert(poison_has(&list, 7, 2 * S - 1));
	cr_assert_not(poison_has(&list, 7, 2 * S));
}

Test(unit_poison, most_faults_that_are_kept)
{
	struct poison_rule most = { .after = POISON_AFTER_MAX, .within_ns = S, .forget_ns = S };

	for (uint32_t i = 1; i < POISON_AFTER_MAX; i++)
		cr_assert_not(poison_fault(&list, &most, 7, S));
	cr_assert(poison_fault(&list, &most, 7, S));
}

Test(unit_poison, a_full_table_forgets_the_oldest_fault)
{
	for (uint64_t key = 1; key <= POISON_KEYS; key++)
		poison_fault(&list, &three, key, NS_PER_S + key);
	fault(1, 2); /* now key 2 is the one with the oldest last fault */
	fault(1000, 3);
	cr_assert(fault(1, 4), "kept");
	fault(2, 5);
	cr_assert_not(fault(2, 6), "its first fault was forgotten");
}

Test(unit_poison, listed_keys_stay_before_others)
{
	for (int i = 0; i < 3; i++)
		fault(7, 1);
	for (uint64_t key = 1000; key < 2000; key++)
		fault(key, 2);
	cr_assert(has(7, 2), "many keys with one fault each do not wash it out");
	for (uint64_t key = 1; key <= POISON_KEYS; key++)
		for (int i = 0; i < 3; i++)
			fault(1000 + key, 10 + key);
	cr_assert_not(has(7, 100), "as many newer listed keys do");
	cr_assert(has(1000 + POISON_KEYS, 100));
	cr_assert_eq(list.listed, POISON_KEYS);
}

Test(unit_poison, what_is_a_fault)
{
	struct brood_verdict v = { .outcome = BROOD_CRASHED, .started = 1 };

	cr_assert(poison_is_fault(&v));
	v.detail = BROOD_DETAIL_STUCK;
	cr_assert(poison_is_fault(&v));
	v.detail = BROOD_DETAIL_OUTSIDE;
	cr_assert_not(poison_is_fault(&v), "not the job's doing");
	v.detail = BROOD_DETAIL_OPERATOR;
	cr_assert_not(poison_is_fault(&v), "not the job's doing");
	v.detail = BROOD_DETAIL_OOM;
	cr_assert(poison_is_fault(&v), "the kernel chooses the one that has the most");
	v = (struct brood_verdict){ .outcome = BROOD_TIMED_OUT, .started = 1 };
	cr_assert(poison_is_fault(&v));
	v.started = 0;
	cr_assert_not(poison_is_fault(&v), "the job never ran");
	for (int outcome = BROOD_DONE; outcome < BROOD_OUTCOMES; outcome++) {
		v = (struct brood_verdict){ .outcome = outcome, .started = 1 };
		cr_assert_eq(poison_is_fault(&v),
			outcome == BROOD_CRASHED || outcome == BROOD_TIMED_OUT);
	}
}

Test(unit_poison, the_rule_of_options)
{
	struct brood_pool_options o = {
		.poison_after = 2, .poison_within_ms = 5, .poison_forget_ms = UINT32_MAX - 1
	};
	struct poison_rule r = poison_rule_of(&o);

	cr_assert_eq(r.after, 2);
	cr_assert_eq(r.within_ns, 5 * NS_PER_MS);
	cr_assert_eq(r.forget_ns, (UINT32_MAX - 1) * NS_PER_MS);
}
