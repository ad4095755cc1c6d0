/* SPDX-License-Identifier: MIT */
/* chaos_schedule.c - what acts when, with a fake clock. */
#include "../../tools/load/chaos_schedule.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(unit_chaos_schedule, .timeout = 20);

#define MS 1000000ull
#define S  1000000000ull
#define AT (1000 * S)

static struct chaos_spec the_spec;
static struct chaos_schedule the_schedule;

static struct chaos_schedule *begin(const char *text, uint64_t seed, uint64_t end_ns)
{
	char wrong[CHAOS_WRONG_SIZE] = "";

	memset(&the_spec, 0, sizeof the_spec);
	cr_assert_eq(chaos_spec_parse(text, &the_spec, wrong), 0, "%s", wrong);
	chaos_schedule_init(&the_schedule, &the_spec, seed);
	cr_assert_eq(chaos_schedule_next(&the_schedule), CHAOS_NEVER, "it has not begun");
	chaos_schedule_begin(&the_schedule, AT, end_ns);
	return &the_schedule;
}

Test(unit_chaos_schedule, regular_times)
{
	struct chaos_schedule *s = begin("reload every 1s; kill at 1500ms", 1, CHAOS_NEVER);
	static const uint64_t times[] = { 1000, 1500, 2000, 3000 };
	struct chaos_event e;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = AT + times[i] * MS;

		cr_assert_eq(chaos_schedule_next(s), at);
		cr_assert_not(chaos_schedule_take(s, at - 1, &e));
		cr_assert(chaos_schedule_take(s, at, &e));
		cr_assert_eq(e.planned_ns, at);
		cr_assert_eq(e.act, i == 1);
		cr_assert_not(e.ends || e.late);
	}
}

Test(unit_chaos_schedule, first_at_then_every)
{
	struct chaos_schedule *s = begin("resize 1..2 at 0s every 3s", 1, AT + 7 * S);
	struct chaos_event e;

	for (uint64_t i = 0; i < 3; i++) {
		cr_assert(chaos_schedule_take(s, AT + i * 3 * S, &e));
		cr_assert_eq(e.number, i);
	}
	cr_assert_eq(chaos_schedule_next(s), CHAOS_NEVER, "the next one would be after the end");
	s = begin("reload every 1s; supervisor-kill at 1s", 1, AT + S);
	cr_assert(chaos_schedule_take(s, AT + S, &e));
	cr_assert_eq(e.act, 1, "at the very end only what comes once");
	cr_assert_eq(chaos_schedule_next(s), CHAOS_NEVER);
}

/* A rate has one moment in each interval, and the seed says which. */
Test(unit_chaos_schedule, rates_are_scattered_by_seed)
{
	uint64_t times[3][200], randoms[3][200];
	unsigned other = 0;

	for (unsigned run = 0; run < 3; run++) {
		struct chaos_schedule *s = begin("kill 50/s", run == 2 ? 9 : 8, AT + 4 * S);
		struct chaos_event e;

		for (unsigned i = 0; i < 200; i++) {
			cr_assert(chaos_schedule_take(s, chaos_schedule_next(s), &e));
			cr_assert_eq((e.planned_ns - AT) / (20 * MS), i);
			times[run][i] = e.planned_ns;
			randoms[run][i] = e.random;
		}
		cr_assert_eq(chaos_schedule_next(s), CHAOS_NEVER);
	}
	cr_assert_arr_eq(times[0], times[1], sizeof times[0]);
	cr_assert_arr_eq(randoms[0], randoms[1], sizeof randoms[0]);
	for (unsigned i = 0; i < 200; i++)
		other += times[0][i] != times[2][i] && randoms[0][i] != randoms[2][i];
	cr_assert_eq(other, 200);
}

/* Two acts of the same kind have times and victims of their own. */
Test(unit_chaos_schedule, acts_differ)
{
	struct chaos_schedule *s = begin("kill 1/s; kill 1/s", 3, CHAOS_NEVER);
	struct chaos_event a, b;

	cr_assert(chaos_schedule_take(s, AT + S, &a));
	cr_assert(chaos_schedule_take(s, AT + S, &b));
	cr_assert_neq(a.act, b.act);
	cr_assert_neq(a.random, b.random);
	cr_assert_lt(a.planned_ns, b.planned_ns);
}

Test(unit_chaos_schedule, late_ones_are_told)
{
	struct chaos_schedule *s = begin("reload every 100ms; kill at 100ms", 1, CHAOS_NEVER);
	uint64_t now = AT + 2 * S;
	unsigned late = 0, due = 0;
	struct chaos_event e;

	while (chaos_schedule_take(s, now, &e)) {
		cr_assert_eq(e.late, e.act == 0 && now - e.planned_ns > CHAOS_DEBT_NS);
		late += e.late;
		due += !e.late;
	}
	cr_assert_eq(late, 14);
	cr_assert_eq(due, 6 + 1, "what comes only once is never left out");
}

static void hold(struct chaos_schedule *s, uint32_t act, uint64_t until_ns, int32_t pid)
{
	struct chaos_held held = { .until_ns = until_ns, .act = act, .mark = 5, .pid = pid };

	cr_assert(chaos_schedule_hold(s, &held));
}

Test(unit_chaos_schedule, what_lasts_has_an_end)
{
	struct chaos_schedule *s = begin("stop at 1s; fd-pressure every 2s", 1, CHAOS_NEVER);
	struct chaos_event e;

	cr_assert(chaos_schedule_take(s, AT + S, &e));
	hold(s, e.act, AT + 2 * S, 77);
	hold(s, 1, AT + 3 * S, 0);
	cr_assert(chaos_schedule_holds(s, CHAOS_STOP, 77));
	cr_assert_not(chaos_schedule_holds(s, CHAOS_STOP, 78));
	cr_assert(chaos_schedule_holds(s, CHAOS_FD_PRESSURE, 0));
	/* an end comes before a begin of the same moment */
	cr_assert(chaos_schedule_take(s, AT + 2 * S, &e));
	cr_assert(e.ends);
	cr_assert_eq(e.held.pid, 77);
	cr_assert_eq(e.held.mark, 5);
	cr_assert_not(chaos_schedule_holds(s, CHAOS_STOP, 0));
	cr_assert(chaos_schedule_take(s, AT + 2 * S, &e));
	cr_assert_not(e.ends);
	cr_assert_eq(e.act, 1);
	cr_assert_eq(chaos_schedule_next(s), AT + 3 * S);
}

Test(unit_chaos_schedule, places_are_used_again)
{
	struct chaos_schedule *s = begin("stop 1/s", 1, CHAOS_NEVER);
	struct chaos_held one = { .until_ns = AT + S };
	struct chaos_event e;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CHAOS_HELD_MAX; i++)
			hold(s, 0, AT + 1 + i, (int32_t)i + 1);
		cr_assert_not(chaos_schedule_hold(s, &one), "there is no room");
		for (unsigned i = 0; i < CHAOS_HELD_MAX; i++) {
			cr_assert(chaos_schedule_take(s, AT + CHAOS_HELD_MAX, &e));
			cr_assert(e.ends);
			cr_assert_eq(e.held.pid, (int32_t)i + 1, "in the order of their ends");
		}
	}
}

Test(unit_chaos_schedule, at_the_end)
{
	struct chaos_schedule *s = begin(
		"kill 1/s; stop at 1s; supervisor-kill at end", 1, CHAOS_NEVER);
	struct chaos_event e;

	hold(s, 1, AT + 100 * S, 5);
	chaos_schedule_end(s);
	cr_assert(chaos_schedule_take(s, AT, &e));
	cr_assert(e.ends);
	cr_assert(chaos_schedule_take(s, AT, &e));
	cr_assert_eq(e.act, 2);
	cr_assert_not(chaos_schedule_take(s, CHAOS_NEVER - 1, &e), "it is over, and only once");
	cr_assert_eq(chaos_schedule_next(s), CHAOS_NEVER);
}
