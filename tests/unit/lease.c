/* SPDX-License-Identifier: MIT */
/* lease.c - what a look at a worker on lease says: by a clock, a desk and a ledger of our own. */
#include "pool/watch.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_lease, .timeout = 60);

#define AT    (1000 * NS_PER_S)
#define BASE  100u
#define RUN   300u
#define GRACE 50u
#define IDLE  1000u
#define LEAVE 2000u
#define CORE  700u
#define MS(n) ((uint64_t)(n)*NS_PER_MS)

#define DONE_PLACE(n) ((uint64_t)(n)*2 + 1)

struct stage {
	struct lease_watch w;
	struct ladder ladder;
	struct ledger_entry entries[RING_DEPTH];
	uint64_t word, began, published;
};

static void begin_with(struct stage *s, bool kept, uint32_t limit_ms)
{
	const struct lease_terms terms = { .base = BASE,
		.limit_ms = limit_ms,
		.idle_ms = IDLE,
		.grace_ms = LEAVE,
		.core_ms = CORE,
		.kept = kept };

	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < RING_DEPTH; i++)
		s->entries[i] = (struct ledger_entry){ .id = i, .run_ms = RUN, .grace_ms = GRACE };
	s->word = DESK_WORD(BASE, DESK_FREE);
	s->published = BASE;
	watch_begin(&s->w, &terms, AT);
}

static void begin(struct stage *s) { begin_with(s, false, BROOD_FOREVER); }

static enum lease_wish look(struct stage *s, uint64_t now)
{
	const struct lease_sight see = { .word = s->word,
		.began_ns = s->began,
		.published = s->published,
		.entries = s->entries };

	return watch_look(&s->w, &s->ladder, &see, now);
}

static uint64_t next(struct stage *s, uint64_t now) { return watch_next(&s->w, &s->ladder, now); }

static void run(struct stage *s, uint64_t n, uint64_t began)
{
	s->published = MAX(s->published, n);
	s->word = DESK_WORD(n, DESK_RUNNING);
	s->began = began;
}

static void done(struct stage *s, uint64_t n) { s->word = DESK_WORD(n, DESK_DONE); }

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
		(struct ledger_entry){ .run_ms = 20, .grace_ms = 7, .flags = BROOD_JOB_ABORT };
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
		s.began = TIME_NEVER; /* and again: it counts no more */
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
	/* the next one, from when it was seen to wait with nothing running */
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
	cr_assert_eq(watch_soonest(s.entries, BASE + 6, BASE + 6, AT), AT + MS(1));
	cr_assert_eq(watch_soonest(s.entries, BASE + 7, BASE + 6, AT), TIME_NEVER);
	/* damaged: an end all the same */
	cr_assert_eq(watch_soonest(s.entries, 0, UINT64_MAX, AT), AT + MS(1));
	s.entries[(BASE + 6) % RING_DEPTH].run_ms = 0;
	cr_assert_eq(watch_soonest(s.entries, 0, UINT64_MAX, AT), AT);
}

/* ---- a desk that makes no sense ---- */

Test(unit_lease, a_place_that_cannot_be)
{
	struct {
		uint64_t word;
		enum lease_wish wish;
	} cells[] = {
		{ DESK_WORD(BASE + 2, DESK_RUNNING), LEASE_GO_ON },
		{ DESK_WORD(BASE + 2, DESK_DONE), LEASE_GO_ON },
		{ DESK_WORD(BASE + 3, DESK_RUNNING), LEASE_GO_ON },
		{ DESK_WORD(BASE + 5, DESK_DONE), LEASE_GO_ON },
		{ DESK_WORD(BASE + 6, DESK_RUNNING), LEASE_DROP },
		{ DESK_WORD(BASE + 6, DESK_DONE), LEASE_DROP },
		{ DESK_WORD(BASE + 1, DESK_RUNNING), LEASE_DROP },
		{ DESK_WORD(BASE + 1, DESK_DONE), LEASE_DROP },
		{ DESK_WORD(BASE, DESK_FREE), LEASE_DROP },
		{ DESK_WORD(BASE + 3, DESK_ASSIGNED), LEASE_DROP },
		{ DESK_WORD(BASE + 3, DESK_CONDEMNED), LEASE_DROP },
		{ DESK_WORD(BASE + 3, 7), LEASE_DROP },
		{ 0, LEASE_DROP },
		{ UINT64_MAX, LEASE_DROP },
		{ DESK_WORD(UINT64_MAX, DESK_DONE), LEASE_DROP },
		{ DESK_WORD(1ull << 60, DESK_RUNNING), LEASE_DROP },
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
	cr_assert_eq(look(&s, AT + MS(12)), LEASE_DROP); /* still where it was: it plays */
}

Test(unit_lease, any_desk_and_any_ledger)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++) {
		struct unit_random r = { seed };
		uint64_t now = AT;
		struct stage s;

		begin(&s);
		for (int i = 0; i < 2000; i++) {
			s.word = unit_below(&r, 3)
				? DESK_WORD(BASE + unit_below(&r, 8), unit_below(&r, 8))
				: unit_random(&r);
			s.began = unit_random(&r);
			s.published = unit_below(&r, 3) ? BASE + unit_below(&r, 300)
							: unit_random(&r);
			s.entries[unit_below(&r, RING_DEPTH)] =
				(struct ledger_entry){ .run_ms = (uint32_t)unit_random(&r),
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
	/* what is published may drain */
	cr_assert_eq(look(&s, AT + MS(60)), LEASE_GO_ON);
	done(&s, BASE + 2);
	cr_assert_eq(look(&s, AT + MS(70)), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(80)), LEASE_TAKE_BACK);
}

/* ---- leaving ---- */

Test(unit_lease, one_that_shall_leave_has_its_grace)
{
	struct stage s;

	begin(&s);
	look(&s, AT + MS(1));
	watch_leaving(&s.w, s.entries, AT + MS(10));
	cr_assert_eq(next(&s, AT + MS(10)), AT + MS(10 + LEAVE));
	/* in vain: not to be begun, and no reason to wait longer */
	s.published = BASE + 3;
	cr_assert_eq(look(&s, AT + MS(100)), LEASE_GO_ON);
	cr_assert_eq(s.w.subject, 0);
	cr_assert_eq(look(&s, AT + MS(10 + LEAVE) - 1), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(10 + LEAVE)), LEASE_STUCK);
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
		cr_assert_eq(look(&s, AT + MS(i * LEAVE)), LEASE_GO_ON);
		cr_assert_eq(next(&s, AT + MS(i * LEAVE)), AT + MS((i + 1) * LEAVE));
	}
	done(&s, BASE + 1);
	cr_assert_eq(look(&s, AT + MS(5 * LEAVE)), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(6 * LEAVE) - 1), LEASE_GO_ON);
	cr_assert_eq(look(&s, AT + MS(6 * LEAVE)), LEASE_STUCK);
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
 * It had looked whether it shall leave, and then that was said: the job that it begins has its time
 * and no more.
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
	/* it is asked before it begins another one */
	cr_assert_eq(next(&s, AT + MS(2)), AT + MS(RUN));
	done(&s, BASE + 3);
	look(&s, AT + MS(3));
	cr_assert_eq(next(&s, AT + MS(3)), AT + MS(3 + LEAVE));
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

/* All at once, before the first of them begins: each is met, and none of the others. */
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

/* Those that are past are forgotten: their bits are those of jobs that nobody cancels. */
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
	for (int waited = 0; waited < 2; waited++) { /* and one that was missed by the swap */
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

Test(unit_lease, moved_means_that_a_job_was_begun)
{
	cr_assert(!watch_moved(BASE, DESK_WORD(BASE, DESK_FREE)));
	cr_assert(watch_moved(BASE, DESK_WORD(BASE + 1, DESK_RUNNING)));
	cr_assert(watch_moved(BASE, DESK_WORD(BASE + 1, DESK_DONE)));
}
