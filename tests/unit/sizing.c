/* SPDX-License-Identifier: MIT */
/* sizing.c - how many workers a pool is to have, with a fake clock. */
#include "pool/sizing.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_sizing, .timeout = 20);

#define AT (1000 * NS_PER_S)

/* Nobody waits, nobody works, and no worker is idle. */
static const struct sizing_facts quiet = { .coldest_since = TIME_NEVER };

static struct sizing elastic(uint32_t min, uint32_t max, uint32_t spare)
{
	struct sizing s;

	sizing_init(&s, false, min, max, spare, 1000);
	return s;
}

/* Asks again whenever the answer says so, until nothing more is to be done. The time at the end. */
static uint64_t settle(struct sizing *s, const struct sizing_facts *f, uint64_t now)
{
	for (int i = 0; i < 100000; i++) {
		uint64_t again = sizing_step(s, f, now);

		if (again == TIME_NEVER)
			return now;
		cr_assert_geq(again, now);
		now = again;
	}
	cr_assert_fail("the size never settles");
	return now;
}

Test(unit_sizing, fixed_stays_fixed)
{
	struct sizing_facts busy = { .active = 8, .waiting = 1000, .coldest_since = TIME_NEVER };
	struct sizing s;

	sizing_init(&s, true, 8, 8, 0, 0);
	cr_assert_eq(s.target, 8);
	cr_assert_eq(sizing_step(&s, &busy, AT), TIME_NEVER);
	cr_assert_eq(s.target, 8);
	sizing_resize(&s, 3, 3);
	cr_assert_eq(s.target, 3, "a fixed pool has its new size at once");
}

Test(unit_sizing, begins_with_the_spare_ones)
{
	cr_assert_eq(elastic(0, 100, 0).target, 0, "on demand: none");
	cr_assert_eq(elastic(4, 100, 2).target, 4);
	cr_assert_eq(elastic(2, 100, 4).target, 4);
	cr_assert_eq(elastic(2, 3, 4).target, 3);
}

Test(unit_sizing, grows_before_a_caller_waits)
{
	struct sizing s = elastic(4, 100, 2);
	struct sizing_facts f = { .active = 3, .idle = 1, .coldest_since = AT };

	sizing_step(&s, &f, AT);
	cr_assert_eq(s.target, 5, "three work, two are spare");
}

Test(unit_sizing, each_step_is_twice_the_last_one)
{
	static const uint32_t steps[] = { 1, 2, 4, 8, 16, 32, 32, 32 };
	struct sizing_facts f = { .waiting = 1000, .coldest_since = TIME_NEVER };
	struct sizing s = elastic(0, 1000, 0);
	uint64_t now = AT, again;
	uint32_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		again = sizing_step(&s, &f, now);
		sum += steps[i];
		cr_assert_eq(s.target, sum, "step %zu: %u, not %u", i, s.target, sum);
		cr_assert_eq(again, now + SIZING_STEP_NS);
		/* sooner, nothing happens */
		cr_assert_eq(sizing_step(&s, &f, again - 1), again);
		cr_assert_eq(s.target, sum);
		now = again;
	}
	settle(&s, &f, now);
	cr_assert_eq(s.target, 1000, "not above max");
}

Test(unit_sizing, after_a_rest_steps_are_small_again)
{
	struct sizing_facts f = { .waiting = 60, .coldest_since = TIME_NEVER };
	struct sizing s = elastic(0, 1000, 0);
	uint64_t now = settle(&s, &f, AT) + SIZING_REST_NS;

	f.waiting = 500;
	sizing_step(&s, &f, now);
	cr_assert_eq(s.target, 61);
}

/* The size stays as it is; after a pause it goes on by itself. */
Test(unit_sizing, trouble_keeps_the_size)
{
	struct sizing_facts f = {
		.waiting = 50, .coldest_since = TIME_NEVER, .trouble_until = TIME_NEVER
	};
	struct sizing s = elastic(2, 100, 2);

	cr_assert_eq(sizing_step(&s, &f, AT), TIME_NEVER, "degraded");
	cr_assert_eq(s.target, 2);
	f.trouble_until = AT + 5;
	cr_assert_eq(sizing_step(&s, &f, AT), AT + 5, "a pause");
	cr_assert_eq(s.target, 2);
	sizing_step(&s, &f, AT + 5);
	cr_assert_eq(s.target, 4);
	s.target = 10;
	f = (struct sizing_facts){ .idle = 10, .coldest_since = AT, .trouble_until = TIME_NEVER };
	sizing_step(&s, &f, AT + NS_PER_S);
	cr_assert_eq(s.target, 10);
}

Test(unit_sizing, the_coldest_ends_after_its_time)
{
	struct sizing s = elastic(2, 100, 2);
	struct sizing_facts f = { .active = 1, .idle = 4, .coldest_since = AT };

	s.target = 5;
	cr_assert_eq(sizing_step(&s, &f, AT), AT + NS_PER_S, "look again when its time is up");
	cr_assert_eq(s.target, 5);
	cr_assert_eq(sizing_step(&s, &f, AT + NS_PER_S), AT + NS_PER_S);
	cr_assert_eq(s.target, 4);
	/* the next one has been idle for less time */
	f.idle = 3;
	f.coldest_since = AT + 1;
	cr_assert_eq(sizing_step(&s, &f, AT + NS_PER_S), AT + NS_PER_S + 1);
	cr_assert_eq(s.target, 4);
	sizing_step(&s, &f, AT + NS_PER_S + 1);
	cr_assert_eq(s.target, 3);
	f.idle = 2;
	cr_assert_eq(sizing_step(&s, &f, AT + 9 * NS_PER_S), TIME_NEVER, "spare ones stay");
	cr_assert_eq(s.target, 3);
}

Test(unit_sizing, an_idle_pool_asks_for_nothing)
{
	struct sizing s = elastic(0, 100, 3);

	cr_assert_eq(sizing_step(&s, &quiet, AT), TIME_NEVER);
	s = elastic(0, 100, 0);
	cr_assert_eq(sizing_step(&s, &quiet, AT), TIME_NEVER);
	cr_assert_eq(s.target, 0);
}

Test(unit_sizing, new_bounds)
{
	struct sizing_facts f = { .waiting = 1000, .coldest_since = TIME_NEVER };
	struct sizing s = elastic(2, 10, 2);
	uint64_t now = settle(&s, &f, AT);

	cr_assert_eq(s.target, 10);
	sizing_resize(&s, 2, 4);
	cr_assert_eq(s.target, 4, "at once");
	sizing_resize(&s, 6, 20);
	cr_assert_eq(s.target, 6);
	settle(&s, &f, now);
	cr_assert_eq(s.target, 20);
}

/* An extra worker that is being born is none yet: the ready ones all stay. */
Test(unit_sizing, births_make_no_ready_worker_surplus)
{
	cr_assert_eq(sizing_surplus(4, 3), 0, "one of four is being born, or two of five");
	cr_assert_eq(sizing_surplus(4, 4), 0);
	cr_assert_eq(sizing_surplus(4, 5), 1);
	cr_assert_eq(sizing_surplus(0, 2), 2);
	cr_assert_eq(sizing_surplus(0, 0), 0);
}

Test(unit_sizing, a_few_end_at_a_time)
{
	cr_assert_eq(sizing_may_end(0, 1), SIZING_ENDING);
	cr_assert_eq(sizing_may_end(SIZING_ENDING - 1, 1), 1);
	cr_assert_eq(sizing_may_end(SIZING_ENDING, 1), 0);
	cr_assert_eq(sizing_may_end(1000, 1), 0);
	cr_assert_eq(sizing_may_end(SIZING_ENDING, 100), 100 - SIZING_ENDING);
}

/* Whatever a pool does: its size stays within the bounds, and comes back to the least one. */
Test(unit_sizing, any_course)
{
	for (uint64_t seed = 1; seed < 300; seed++) {
		struct unit_random random = { seed };
		uint32_t min = (uint32_t)unit_below(&random, 5);
		uint32_t max = 5 + (uint32_t)unit_below(&random, 50);
		struct sizing s = elastic(min, max, (uint32_t)unit_below(&random, 8));
		uint64_t now = AT;

		for (int i = 0; i < 500; i++) {
			struct sizing_facts f = { .coldest_since = TIME_NEVER };

			f.active = (uint32_t)unit_below(&random, s.target + 1);
			f.idle = s.target - f.active;
			f.waiting = f.idle ? 0 : (uint32_t)unit_below(&random, 20);
			f.trouble_until = unit_below(&random, 8) == 0 ? TIME_NEVER : 0;
			if (f.idle)
				f.coldest_since = now - unit_below(&random, 2 * NS_PER_S);
			sizing_step(&s, &f, now);
			cr_assert_geq(s.target, s.min);
			cr_assert_leq(s.target, s.max);
			now += unit_below(&random, NS_PER_S);
		}
		for (int i = 0; i < 100; i++) {
			struct sizing_facts f = { .idle = s.target, .coldest_since = AT };

			now = MAX(now, AT + 2 * NS_PER_S);
			sizing_step(&s, &f, now);
		}
		cr_assert_eq(s.target, sizing_least(&s), "seed %lu", (unsigned long)seed);
	}
}

/* ---- while memory is short ---- */

Test(unit_sizing, pressure_ends_idle_workers_down_to_min)
{
	struct sizing s = elastic(2, 100, 4);
	struct sizing_facts f = { .active = 3, .idle = 9, .coldest_since = AT, .pressed = true };

	s.target = 12;
	for (; f.idle > 0 && sizing_step(&s, &f, AT) == AT; f.idle--)
		;
	cr_assert_eq(s.target, 3, "those that work stay; spare ones, and fresh ones, do not");
	f.active = 0;
	f.idle = 3;
	for (; f.idle > 0 && sizing_step(&s, &f, AT) == AT; f.idle--)
		;
	cr_assert_eq(s.target, 2, "and so do as many as the least");
	cr_assert_eq(sizing_step(&s, &f, AT), TIME_NEVER);
}

Test(unit_sizing, pressure_stops_growth_until_it_is_over)
{
	struct sizing s = elastic(1, 100, 1);
	struct sizing_facts f = {
		.active = 1, .waiting = 50, .coldest_since = TIME_NEVER, .pressed = true
	};

	cr_assert_eq(sizing_step(&s, &f, AT), TIME_NEVER);
	cr_assert_eq(s.target, 1);
	f.pressed = false;
	settle(&s, &f, AT);
	cr_assert_eq(s.target, 52);
}

Test(unit_sizing, pressure_leaves_jobs_one_worker)
{
	struct sizing s = elastic(0, 100, 0);
	struct sizing_facts f = { .waiting = 50, .coldest_since = TIME_NEVER, .pressed = true };

	cr_assert_eq(sizing_step(&s, &f, AT), TIME_NEVER);
	cr_assert_eq(s.target, 1);
	f.active = 1;
	cr_assert_eq(sizing_step(&s, &f, AT), TIME_NEVER);
	cr_assert_eq(s.target, 1);
}

Test(unit_sizing, pressure_leaves_fixed_pools_alone)
{
	struct sizing_facts f = { .idle = 8, .coldest_since = AT, .pressed = true };
	struct sizing s;

	sizing_init(&s, true, 8, 8, 0, 0);
	cr_assert_eq(sizing_step(&s, &f, AT), TIME_NEVER);
	cr_assert_eq(s.target, 8);
}
