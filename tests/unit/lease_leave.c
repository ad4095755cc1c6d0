/* SPDX-License-Identifier: MIT */
/*
 * lease_leave.c - what a look at a worker on lease says when the worker shall leave, or its job is
 * cancelled; with a fake clock, slot page and lease page.
 */
#include "lease_stage.h"

#include <criterion/criterion.h>

TestSuite(unit_lease, .timeout = 60);

/* ---- leaving ---- */

Test(unit_lease, one_that_shall_leave_has_its_grace)
{
	struct stage s;

	begin(&s);
	look(&s, AT + MS(1));
	watch_leaving(&s.w, s.entries, AT + MS(10));
	cr_assert_eq(next(&s, AT + MS(10)), AT + MS(10 + RECALL));
	/* in vain: the job shall not begin, which is no reason to wait longer */
	s.published = BASE + 3;
	cr_assert_eq(look(&s, AT + MS(100)), LEASE_GO_ON);
	cr_assert_eq(s.w.subject, 0);
	cr_assert_eq(look(&s, AT + MS(10 + RECALL) - 1), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(10 + RECALL)), LEASE_STUCK);
}

Test(unit_lease, what_it_runs_when_it_shall_leave_has_all_its_time)
{
	struct stage s;

	begin(&s);
	s.entries[(BASE + 1) % RING_DEPTH].run_ms = BROOD_FOREVER;
	run(&s, BASE + 1, AT);
	look(&s, AT + MS(1));
	watch_leaving(&s.w, s.entries, AT + MS(1));
	for (int i = 1; i < 5; i++) {
		cr_assert_eq(look(&s, AT + MS(i * RECALL)), LEASE_GO_ON);
		cr_assert_eq(next(&s, AT + MS(i * RECALL)), AT + MS((i + 1) * RECALL));
	}
	done(&s, BASE + 1);
	cr_assert_eq(look(&s, AT + MS(5 * RECALL)), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(6 * RECALL) - 1), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(6 * RECALL)), LEASE_STUCK);
}

Test(unit_lease, who_waited_when_it_shall_leave_may_still_begin)
{
	struct stage s;

	begin(&s);
	s.published = BASE + 1;
	look(&s, AT + MS(1));
	cr_assert(s.w.waits);
	watch_leaving(&s.w, s.entries, AT + MS(1));
	cr_assert_eq(s.w.subject, 0);
	run(&s, BASE + 1, AT + MS(2));
	cr_assert_eq(look(&s, AT + MS(3)), LEASE_GO_ON);
	cr_assert_eq(s.w.subject, BASE + 1);
	cr_assert_eq(next(&s, AT + MS(3)), AT + MS(2 + RUN));
}

/*
 * The worker looked whether it shall leave just before it was told: the job that it begins then has
 * its own time, and no more.
 */
Test(unit_lease, what_is_begun_while_it_shall_leave_ends_in_time)
{
	struct stage s;

	for (int asked_first = 0; asked_first < 2; asked_first++) {
		begin(&s);
		run(&s, BASE + 1, AT);
		look(&s, AT + MS(1));
		done(&s, BASE + 1);
		s.published = BASE + 3;
		if (!asked_first)
			look(&s, AT + MS(10));
		watch_leaving(&s.w, s.entries, AT + MS(10));
		if (asked_first)
			look(&s, AT + MS(10));
		cr_assert_eq(s.w.subject, 0);
		cr_assert_eq(next(&s, AT + MS(10)), AT + MS(10 + RUN));
		run(&s, BASE + 2, AT + MS(11));
		cr_assert_eq(look(&s, AT + MS(10 + RUN)), LEASE_GO_ON);
		cr_assert_eq(s.w.subject, BASE + 2);
		cr_assert_eq(next(&s, AT + MS(10 + RUN)), AT + MS(11 + RUN));
		cr_assert_eq(ladder_due(&s.ladder, AT + MS(11 + RUN)), LADDER_DO_SOFT);
	}
}

Test(unit_lease, what_is_not_begun_then_needs_no_look)
{
	struct stage s;

	begin(&s);
	s.entries[(BASE + 3) % RING_DEPTH].run_ms = 1;
	run(&s, BASE + 1, AT);
	s.published = BASE + 3;
	look(&s, AT + MS(1));
	watch_leaving(&s.w, s.entries, AT + MS(2));
	look(&s, AT + MS(2));
	/* the worker looks before it begins another job */
	cr_assert_eq(next(&s, AT + MS(2)), AT + MS(RUN));
	done(&s, BASE + 3);
	look(&s, AT + MS(3));
	cr_assert_eq(next(&s, AT + MS(3)), AT + MS(3 + RECALL));
}

/* ---- cancel ---- */

static bool none_cancelled(const struct stage *s)
{
	uint64_t any = s->w.cancel;

	for (size_t i = 0; i < ARRAY_SIZE(s->w.cancels); i++)
		any |= s->w.cancels[i];
	return any == 0;
}

Test(unit_lease, cancel_hurries_the_one_that_runs)
{
	struct stage s;

	begin(&s);
	run(&s, BASE + 2, AT);
	s.published = BASE + 3;
	watch_cancel(&s.w, BASE + 2);
	look(&s, AT + MS(5));
	cr_assert_eq(ladder_due(&s.ladder, AT + MS(5)), LADDER_DO_SOFT);
	cr_assert_eq(s.ladder.cause, LADDER_CAUSE_CANCEL);
	cr_assert(none_cancelled(&s));
}

Test(unit_lease, cancel_of_what_is_over_or_not_there_is_nothing)
{
	static const uint64_t others[] = { 0, BASE, BASE + 1, BASE + 4, UINT64_MAX,
		UINT64_MAX / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct stage s;

		begin(&s);
		run(&s, BASE + 2, AT);
		s.published = BASE + 3;
		watch_cancel(&s.w, others[i]);
		look(&s, AT + MS(5));
		cr_assert_eq(ladder_due(&s.ladder, AT + MS(5)), LADDER_NOTHING);
		cr_assert(none_cancelled(&s), "%zu", i);
	}
}

Test(unit_lease, cancel_of_one_that_is_about_to_begin_waits_for_it)
{
	struct stage s;
	uint64_t now = AT + MS(5);

	begin(&s);
	run(&s, BASE + 1, AT);
	done(&s, BASE + 1);
	s.published = BASE + 2;
	watch_cancel(&s.w, BASE + 2);
	look(&s, now);
	cr_assert_eq(ladder_due(&s.ladder, now), LADDER_NOTHING);
	for (unsigned ms = 1; ms < 64; ms *= 2) {
		cr_assert_eq(next(&s, now), now + MS(ms));
		now += MS(ms);
		look(&s, now);
	}
	run(&s, BASE + 2, now);
	look(&s, now);
	cr_assert_eq(ladder_due(&s.ladder, now), LADDER_DO_SOFT);
	cr_assert_eq(s.ladder.cause, LADDER_CAUSE_CANCEL);
	cr_assert(none_cancelled(&s));
}

static bool hurried(struct stage *s, uint64_t now)
{
	return ladder_due(&s->ladder, now) == LADDER_DO_SOFT &&
		s->ladder.cause == LADDER_CAUSE_CANCEL;
}

/* All are cancelled at once, before the first of them begins: each is met, and no other job. */
Test(unit_lease, cancel_of_many_is_for_each_of_them)
{
	static const uint64_t some[] = { 1, 2, 64, 65, 127, 128 };
	uint64_t now = AT + MS(1);
	struct stage s;
	size_t met = 0;

	begin(&s);
	s.published = BASE + RING_DEPTH;
	for (size_t i = ARRAY_SIZE(some); i > 0; i--) {
		watch_cancel(&s.w, BASE + some[i - 1]);
		look(&s, now);
	}
	for (uint64_t n = 1; n <= 2 * RING_DEPTH; n++) {
		bool one = met < ARRAY_SIZE(some) && some[met] == n;

		run(&s, BASE + n, now);
		look(&s, ++now);
		cr_assert_eq(hurried(&s, now), one, "%lu", (unsigned long)n);
		cr_assert_leq(next(&s, now), now + MS(1000));
		met += one;
		cr_assert_eq(none_cancelled(&s), met == ARRAY_SIZE(some));
		done(&s, BASE + n);
	}
	cr_assert_eq(met, ARRAY_SIZE(some));
}

/* Past cancels are forgotten: their bits now stand for jobs that nobody cancels. */
Test(unit_lease, cancel_of_what_is_past_is_nobodys)
{
	static const uint64_t steps[] = { 2, 3, 5, RING_DEPTH, RING_DEPTH + 1, 10 * RING_DEPTH };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct stage s;

		begin(&s);
		s.published = BASE + 3;
		for (uint64_t n = 2; n <= 3; n++) {
			watch_cancel(&s.w, BASE + n);
			look(&s, AT + MS(1));
		}
		s.published = BASE + steps[i] + RING_DEPTH;
		done(&s, BASE + steps[i]);
		look(&s, AT + MS(2));
		cr_assert_eq(none_cancelled(&s), steps[i] >= 3);
		for (uint64_t n = MAX(steps[i], 3u) + 1; n <= steps[i] + RING_DEPTH; n++) {
			run(&s, BASE + n, AT + MS(3));
			look(&s, AT + MS(3));
			cr_assert_eq(ladder_due(&s.ladder, AT + MS(3)), LADDER_NOTHING);
		}
	}
	for (int waited = 0; waited < 2; waited++) { /* and a job that the swap missed */
		struct stage s;

		begin(&s);
		s.published = BASE + 1;
		if (!waited)
			run(&s, BASE + 1, AT);
		watch_cancel(&s.w, BASE + 1);
		look(&s, AT + MS(1));
		watch_lost(&s.w);
		cr_assert(none_cancelled(&s));
	}
}
