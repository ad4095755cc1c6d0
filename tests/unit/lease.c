/* SPDX-License-Identifier: MIT */
/* lease.c - what a look at a worker on lease says, with a fake clock, slot page and lease page. */
#include "lease_stage.h"

#include <criterion/criterion.h>

TestSuite(unit_lease, .timeout = 60);

#define DONE_PLACE(n) ((uint64_t)(n)*2 + 1)

/* ---- which job runs, since when ---- */

Test(unit_lease, a_job_that_runs_has_its_time_from_its_beginning)
{
	struct stage s;

	begin(&s);
	run(&s, BASE + 1, AT + MS(10));
	cr_assert_eq(look(&s, AT + MS(100)), LEASE_GO_ON);
	cr_assert_eq(s.w.subject, BASE + 1);
	cr_assert_eq(s.w.since, AT + MS(10));
	cr_assert_eq(next(&s, AT + MS(100)), AT + MS(10 + RUN));
	cr_assert_eq(ladder_due(&s.ladder, AT + MS(10 + RUN) - 1), LADDER_NOTHING);
	cr_assert_eq(look(&s, AT + MS(10 + RUN)), LEASE_GO_ON);
	cr_assert_eq(ladder_due(&s.ladder, AT + MS(10 + RUN)), LADDER_DO_SOFT);
	cr_assert_eq(s.ladder.cause, LADDER_CAUSE_DEADLINE);
	cr_assert_eq(next(&s, AT + MS(10 + RUN)), AT + MS(10 + RUN + GRACE));
	cr_assert_eq(look(&s, AT + MS(10 + RUN + GRACE)), LEASE_GO_ON);
	cr_assert_eq(ladder_due(&s.ladder, AT + MS(10 + RUN + GRACE)), LADDER_DO_CONDEMN);
}

Test(unit_lease, its_limits_are_the_entrys)
{
	struct stage s;

	begin(&s);
	s.entries[(BASE + 2) % RING_DEPTH] =
		(struct lease_page_entry){ .run_ms = 20, .grace_ms = 7, .flags = BROOD_JOB_ABORT };
	run(&s, BASE + 2, AT + MS(1));
	look(&s, AT + MS(5));
	cr_assert_eq(next(&s, AT + MS(5)), AT + MS(21));
	cr_assert_eq(s.ladder.grace_ms, 7);
	cr_assert_eq(s.ladder.core_ms, CORE);
	cr_assert(s.ladder.abort);
}

Test(unit_lease, one_without_a_limit_needs_no_look)
{
	struct stage s;

	begin_with(&s, true, BROOD_FOREVER);
	s.entries[(BASE + 1) % RING_DEPTH].run_ms = BROOD_FOREVER;
	run(&s, BASE + 1, AT);
	look(&s, AT + MS(5));
	cr_assert_eq(next(&s, AT + MS(5)), TIME_NEVER);
}

Test(unit_lease, lies_about_its_beginning_gain_one_run_time_at_most)
{
	static const uint64_t lies[] = { 0, 1, AT - 1, AT + MS(90), AT + MS(100), AT + MS(101),
		TIME_NEVER - 1, TIME_NEVER };
	struct stage s;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		begin(&s);
		look(&s, AT + MS(90));
		run(&s, BASE + 1, lies[i]);
		look(&s, AT + MS(100));
		cr_assert_geq(s.w.since, AT + MS(90));
		cr_assert_leq(s.w.since, AT + MS(100));
		s.began = TIME_NEVER; /* again: it does not count twice */
		look(&s, AT + MS(200));
		cr_assert_leq(next(&s, AT + MS(200)), AT + MS(100 + RUN));
	}
}

Test(unit_lease, a_job_that_is_not_begun_has_its_time_too)
{
	struct stage s;

	begin(&s);
	s.published = BASE + 3;
	look(&s, AT + MS(10));
	cr_assert_eq(s.w.subject, BASE + 1);
	cr_assert(s.w.waits);
	cr_assert_eq(s.w.since, AT + MS(10));
	look(&s, AT + MS(200));
	cr_assert_eq(s.w.since, AT + MS(10));
	cr_assert_eq(next(&s, AT + MS(200)), AT + MS(10 + RUN));
	run(&s, BASE + 1, AT + MS(205)); /* at last: its own time begins */
	look(&s, AT + MS(210));
	cr_assert(!s.w.waits);
	cr_assert_eq(s.w.since, AT + MS(205));
	cr_assert_eq(ladder_due(&s.ladder, AT + MS(205 + RUN)), LADDER_DO_SOFT);
	done(&s, BASE + 1);
	look(&s, AT + MS(600));
	/* the next job's time counts from when it was seen waiting with nothing running */
	cr_assert_eq(s.w.subject, BASE + 2);
	cr_assert(s.w.waits);
	cr_assert_eq(s.w.since, AT + MS(600));
	cr_assert_eq(s.ladder.step, LADDER_RUNNING);
	cr_assert_eq(s.ladder.cause, LADDER_CAUSE_NONE);
}

Test(unit_lease, those_behind_are_looked_at_in_time)
{
	struct stage s;

	begin(&s);
	s.entries[(BASE + 4) % RING_DEPTH].run_ms = 2;
	s.entries[(BASE + 6) % RING_DEPTH].run_ms = 1; /* not published */
	run(&s, BASE + 1, AT);
	s.published = BASE + 5;
	look(&s, AT + MS(10));
	cr_assert_eq(next(&s, AT + MS(10)), AT + MS(12));
	cr_assert_eq(watch_soonest(s.entries, BASE + 6, BASE + 6, 0, AT), AT + MS(1));
	cr_assert_eq(watch_soonest(s.entries, BASE + 7, BASE + 6, 0, AT), TIME_NEVER);
	/* damaged: it ends all the same */
	cr_assert_eq(watch_soonest(s.entries, 0, UINT64_MAX, 0, AT), AT + MS(1));
	s.entries[(BASE + 6) % RING_DEPTH].run_ms = 0;
	cr_assert_eq(watch_soonest(s.entries, 0, UINT64_MAX, 0, AT), AT);
}

/* ---- a slot page that makes no sense ---- */

Test(unit_lease, a_place_that_cannot_be)
{
	struct {
		uint64_t word;
		enum lease_wish wish;
	} cells[] = {
		{ SLOT_PAGE_WORD(BASE + 2, SLOT_PAGE_RUNNING), LEASE_GO_ON },
		{ SLOT_PAGE_WORD(BASE + 2, SLOT_PAGE_DONE), LEASE_GO_ON },
		{ SLOT_PAGE_WORD(BASE + 3, SLOT_PAGE_RUNNING), LEASE_GO_ON },
		{ SLOT_PAGE_WORD(BASE + 5, SLOT_PAGE_DONE), LEASE_GO_ON },
		{ SLOT_PAGE_WORD(BASE + 6, SLOT_PAGE_RUNNING), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE + 6, SLOT_PAGE_DONE), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE + 1, SLOT_PAGE_RUNNING), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE + 1, SLOT_PAGE_DONE), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE, SLOT_PAGE_FREE), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE + 3, SLOT_PAGE_ASSIGNED), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE + 3, SLOT_PAGE_CONDEMNED), LEASE_DROP },
		{ SLOT_PAGE_WORD(BASE + 3, 7), LEASE_DROP },
		{ 0, LEASE_DROP },
		{ UINT64_MAX, LEASE_DROP },
		{ SLOT_PAGE_WORD(UINT64_MAX, SLOT_PAGE_DONE), LEASE_DROP },
		{ SLOT_PAGE_WORD(1ull << 60, SLOT_PAGE_RUNNING), LEASE_DROP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		struct stage s;

		begin(&s);
		s.published = BASE + 5;
		run(&s, BASE + 2, AT);
		cr_assert_eq(look(&s, AT + MS(10)), LEASE_GO_ON);
		s.word = cells[i].word;
		cr_assert_eq(look(&s, AT + MS(20)), cells[i].wish, "%zu", i);
	}
}

Test(unit_lease, who_is_missed_by_the_swap_has_gone_on)
{
	struct stage s;

	begin(&s);
	run(&s, BASE + 1, AT);
	s.published = BASE + 2;
	look(&s, AT + MS(10));
	watch_lost(&s.w);
	done(&s, BASE + 1);
	cr_assert_eq(look(&s, AT + MS(11)), LEASE_GO_ON);
	cr_assert_eq(s.w.subject, BASE + 2);
	watch_lost(&s.w);
	/* its word has not moved: the worker plays for time */
	cr_assert_eq(look(&s, AT + MS(12)), LEASE_DROP);
}

Test(unit_lease, any_slot_page_and_any_lease_page)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++) {
		struct unit_random r = { seed };
		uint64_t now = AT;
		struct stage s;

		begin(&s);
		for (int i = 0; i < 2000; i++) {
			s.word = unit_below(&r, 3)
				? SLOT_PAGE_WORD(BASE + unit_below(&r, 8), unit_below(&r, 8))
				: unit_random(&r);
			s.began = unit_random(&r);
			s.published = unit_below(&r, 3) ? BASE + unit_below(&r, 300)
							: unit_random(&r);
			s.entries[unit_below(&r, RING_DEPTH)] =
				(struct lease_page_entry){ .run_ms = (uint32_t)unit_random(&r),
					.grace_ms = (uint32_t)unit_random(&r) };
			now += unit_below(&r, MS(1000));
			if (look(&s, now) == LEASE_TAKE_BACK)
				watch_leaving(&s.w, s.entries, now);
			cr_assert_geq(s.w.since, s.w.subject ? AT : 0);
			cr_assert_leq(s.w.since, now);
			if (unit_below(&r, 20) == 0)
				begin(&s);
		}
	}
}

/* ---- resting ---- */

Test(unit_lease, one_that_rests_is_taken_back)
{
	struct stage s;

	begin(&s);
	cr_assert_eq(next(&s, AT), AT + MS(IDLE));
	cr_assert_eq(look(&s, AT + MS(IDLE) - 1), LEASE_GO_ON);
	cr_assert_eq(next(&s, AT + MS(IDLE) - 1), AT + MS(IDLE));
	cr_assert_eq(look(&s, AT + MS(IDLE)), LEASE_TAKE_BACK);
}

Test(unit_lease, work_between_two_looks_is_no_rest)
{
	struct stage s;

	begin(&s);
	s.published = BASE + 7;
	done(&s, BASE + 7);
	cr_assert_eq(look(&s, AT + MS(IDLE)), LEASE_GO_ON);
	cr_assert_eq(next(&s, AT + MS(IDLE)), AT + MS(2 * IDLE));
	/* asked for in between */
	cr_assert_eq(look(&s, AT + MS(IDLE + 10)), LEASE_GO_ON);
	cr_assert_eq(next(&s, AT + MS(IDLE + 10)), AT + MS(2 * IDLE));
	cr_assert_eq(look(&s, AT + MS(2 * IDLE)), LEASE_TAKE_BACK);
}

Test(unit_lease, one_that_works_is_looked_at_for_rest)
{
	struct stage s;

	begin(&s);
	s.entries[(BASE + 1) % RING_DEPTH].run_ms = BROOD_FOREVER;
	run(&s, BASE + 1, AT);
	for (int i = 1; i < 10; i++) {
		cr_assert_eq(look(&s, AT + MS(i * IDLE)), LEASE_GO_ON);
		cr_assert_eq(next(&s, AT + MS(i * IDLE)), AT + MS((i + 1) * IDLE));
	}
}

Test(unit_lease, explicit_ones_may_rest_until_their_limit)
{
	struct stage s;

	begin_with(&s, true, 60000);
	cr_assert_eq(look(&s, AT + MS(IDLE * 10)), LEASE_GO_ON);
	cr_assert_eq(next(&s, AT + MS(IDLE * 10)), AT + MS(60000));
	cr_assert_eq(look(&s, AT + MS(60000)), LEASE_TAKE_BACK);
}

Test(unit_lease, a_limit_holds_for_one_that_works)
{
	struct stage s;

	begin_with(&s, false, 200);
	run(&s, BASE + 1, AT + MS(190));
	cr_assert_eq(look(&s, AT + MS(195)), LEASE_GO_ON);
	cr_assert_eq(next(&s, AT + MS(195)), AT + MS(200));
	cr_assert_eq(look(&s, AT + MS(200)), LEASE_TAKE_BACK);
	watch_leaving(&s.w, s.entries, AT + MS(200));
	/* its ladder goes on */
	cr_assert_eq(next(&s, AT + MS(200)), AT + MS(190 + RUN));
	cr_assert_eq(look(&s, AT + MS(190 + RUN)), LEASE_GO_ON);
	cr_assert_eq(ladder_due(&s.ladder, AT + MS(190 + RUN)), LADDER_DO_SOFT);
}

Test(unit_lease, while_the_pool_drains_nobody_rests_for_long)
{
	struct stage s;

	begin_with(&s, true, BROOD_FOREVER);
	look(&s, AT + MS(3));
	watch_drain(&s.w);
	cr_assert_eq(next(&s, AT + MS(3)), AT + MS(LEASE_DRAIN_MS));
	cr_assert_eq(look(&s, AT + MS(LEASE_DRAIN_MS) - 1), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(LEASE_DRAIN_MS)), LEASE_TAKE_BACK);
	begin_with(&s, true, BROOD_FOREVER);
	watch_drain(&s.w);
	run(&s, BASE + 1, AT);
	cr_assert_eq(look(&s, AT + MS(50)), LEASE_GO_ON);
	s.published = BASE + 2;
	done(&s, BASE + 1);
	/* published jobs may be drained */
	cr_assert_eq(look(&s, AT + MS(60)), LEASE_GO_ON);
	done(&s, BASE + 2);
	cr_assert_eq(look(&s, AT + MS(70)), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(80)), LEASE_TAKE_BACK);
}

/* ---- cancel ---- */

Test(unit_lease, moved_means_that_a_job_was_begun)
{
	cr_assert(!watch_moved(BASE, SLOT_PAGE_WORD(BASE, SLOT_PAGE_FREE)));
	cr_assert(watch_moved(BASE, SLOT_PAGE_WORD(BASE + 1, SLOT_PAGE_RUNNING)));
	cr_assert(watch_moved(BASE, SLOT_PAGE_WORD(BASE + 1, SLOT_PAGE_DONE)));
}
