/* SPDX-License-Identifier: MIT */
/* pace.c - planned times against the area under the rate, for each form of a plan. */
#include "../../tools/load/pace.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

TestSuite(unit_pace, .timeout = 60);

#define S 1000000000ull

static struct pace_plan rate(const char *text)
{
	struct pace_plan plan = { .stages = 0 };

	cr_assert_eq(pace_parse_rate(text, &plan), 0, "%s", text);
	return plan;
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-6 * fmax(1, fabs(b)); }

Test(unit_pace, rates_are_read)
{
	static const char *const bad[] = { "", "0", "0.5", "-1", "x", "1000/h", "1000/", "1000x",
		"20M", "nan", "inf", "1000,2000", "1000/s/s", "0x10", "0X1p4", "0x" };
	struct pace_plan plan = rate("1000");

	cr_assert_eq(plan.stages, 1);
	cr_assert(near(plan.stage[0].from, 1000));
	cr_assert(near(plan.stage[0].to, 1000));
	cr_assert(near(rate("1000/s").stage[0].from, 1000));
	cr_assert(near(rate("20k").stage[0].from, 20000));
	cr_assert(near(rate("1.5M/s").stage[0].from, 1500000));
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_lt(pace_parse_rate(bad[i], &plan), 0, "\"%s\"", bad[i]);
}

Test(unit_pace, ramps_and_steps_are_read)
{
	static const char *const bad_ramps[] = { "", "1:2", "1:2:", "1:2:0", "a:2:3", "1:2:3:4",
		"0:0:5", "1:2:-3", "0:1:1000000" };
	static const char *const bad_steps[] = { "", "1", "1:", "1,:2", ",1:2", "1,2:0", "0,2:1",
		"1;2:3", "1,2:3,4", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1:2" };
	struct pace_plan plan = { .stages = 0 };

	cr_assert_eq(pace_parse_ramp("0:5k:10", &plan), 0);
	cr_assert_eq(plan.stages, 1);
	cr_assert(near(plan.stage[0].from, 0) && near(plan.stage[0].to, 5000));
	cr_assert(near(pace_length(&plan), 10));
	cr_assert_eq(pace_parse_steps("100,200/s,1k:2.5s", &plan), 0);
	cr_assert_eq(plan.stages, 3);
	cr_assert(near(plan.stage[2].from, 1000) && near(plan.stage[2].to, 1000));
	cr_assert(near(pace_length(&plan), 7.5));
	for (unsigned i = 0; i < sizeof bad_ramps / sizeof bad_ramps[0]; i++)
		cr_assert_lt(pace_parse_ramp(bad_ramps[i], &plan), 0, "\"%s\"", bad_ramps[i]);
	for (unsigned i = 0; i < sizeof bad_steps / sizeof bad_steps[0]; i++)
		cr_assert_lt(pace_parse_steps(bad_steps[i], &plan), 0, "\"%s\"", bad_steps[i]);
	cr_assert_eq(plan.stages, 3, "a text that is wrong changes nothing");
}

/* The jobs of all lanes together are one each 1/rate, and each lane has its share. */
Test(unit_pace, constant_rate_over_lanes)
{
	struct pace_plan plan = rate("4000");

	for (unsigned lanes = 1; lanes <= 7; lanes++) {
		for (unsigned lane = 0; lane < lanes; lane++) {
			struct pace p;

			pace_begin(&p, &plan, lane, lanes, 1);
			for (uint64_t i = 0; i < 1000; i++, pace_advance(&p)) {
				uint64_t right = (lane + i * lanes) * (S / 4000);

				cr_assert_leq(pace_next(&p), right);
				cr_assert_geq(pace_next(&p) + 1, right);
				cr_assert_eq(p.number, i);
			}
		}
	}
}

/* A rate whose period is no whole number of ns does not drift, even after a day. */
Test(unit_pace, no_drift)
{
	struct pace_plan plan = rate("300000");

	cr_assert(near(pace_time(&plan, 86400.0 * 300000), 86400));
	cr_assert(near(pace_jobs(&plan, 86400), 86400.0 * 300000));
}

Test(unit_pace, a_ramp_is_the_area_under_its_line)
{
	struct pace_plan plan = { .stages = 0 };

	cr_assert_eq(pace_parse_ramp("100:500:10", &plan), 0);
	cr_assert(near(pace_jobs(&plan, 10), 3000));
	cr_assert(near(pace_jobs(&plan, 5), 5 * (100 + 300) / 2.0));
	cr_assert(near(pace_jobs(&plan, 12), 3000 + 2 * 500), "the last rate stays");
	cr_assert(near(pace_time(&plan, 4000), 12));
	cr_assert_eq(pace_parse_ramp("0:1000:10", &plan), 0);
	cr_assert(near(pace_jobs(&plan, 10), 5000));
	cr_assert(near(pace_time(&plan, 0), 0));
	cr_assert_eq(pace_parse_ramp("1000:0:10", &plan), 0);
	cr_assert(near(pace_time(&plan, 4999), 10 - sqrt(2 * 10 / 1000.0)));
	cr_assert(isinf(pace_time(&plan, 5001)), "after the end of a ramp to 0 there is no job");
}

/* Time and number of jobs are each other's inverse, on each plan. */
Test(unit_pace, time_and_jobs_agree)
{
	static const char *const ramps[] = { "0:1000:3", "5000:10:2", "700:700:5", "1:100k:60" };
	static const char *const steps[] = { "100,5000,20:1.5", "1:1", "10k,1,10k:0.1" };

	for (unsigned i = 0; i < 7; i++) {
		struct pace_plan plan = { .stages = 0 };
		double last = -1;

		cr_assert_eq(i < 4 ? pace_parse_ramp(ramps[i], &plan)
				   : pace_parse_steps(steps[i - 4], &plan),
			0);
		for (double jobs = 0; jobs < 3000; jobs += 0.7) {
			double seconds = pace_time(&plan, jobs);

			cr_assert(
				near(pace_jobs(&plan, seconds), jobs), "plan %u, job %g", i, jobs);
			cr_assert_gt(seconds, last, "later jobs come later");
			last = seconds;
		}
	}
}

Test(unit_pace, steps_hold_their_rates)
{
	struct pace_plan plan = { .stages = 0 };
	struct pace p;

	cr_assert_eq(pace_parse_steps("100,400,50:2", &plan), 0);
	pace_begin(&p, &plan, 0, 1, 1);
	cr_assert_eq(pace_skip(&p, 2 * S, UINT64_MAX), 200);
	cr_assert_eq(pace_skip(&p, 4 * S, UINT64_MAX), 800);
	cr_assert_eq(pace_skip(&p, 6 * S, UINT64_MAX), 100);
	cr_assert_eq(pace_skip(&p, 8 * S, 30), 30, "no more than asked for");
	cr_assert_eq(pace_skip(&p, 8 * S, UINT64_MAX), 70);
	cr_assert_eq(p.number, 1200);
}

static uint64_t hash_of(const struct pace_plan *plan, unsigned lane, uint64_t seed)
{
	uint64_t hash = 0;
	struct pace p;

	pace_begin(&p, plan, lane, 3, seed);
	for (unsigned i = 0; i < 500; i++, pace_advance(&p))
		hash = hash * 31 + pace_next(&p);
	return hash;
}

Test(unit_pace, a_seed_repeats_the_times)
{
	struct pace_plan plan = rate("1000");

	plan.poisson = true;
	cr_assert_eq(hash_of(&plan, 0, 7), hash_of(&plan, 0, 7));
	cr_assert_neq(hash_of(&plan, 0, 7), hash_of(&plan, 0, 8));
	cr_assert_neq(hash_of(&plan, 0, 7), hash_of(&plan, 1, 7));
	plan.poisson = false;
	cr_assert_eq(hash_of(&plan, 0, 7), hash_of(&plan, 0, 8), "a constant rate needs no seed");
}

/*
 * In a Poisson process the number of jobs in a second has variance and mean alike, and the share of
 * gaps that are longer than the mean is 1/e.
 */
Test(unit_pace, random_times_are_a_poisson_process)
{
	struct pace_plan plan = rate("1000");

	plan.poisson = true;
	for (unsigned seed = 1; seed <= 5; seed++) {
		double sum = 0, squares = 0, longer = 0, all = 0;
		struct pace lane[4];
		uint64_t last[4] = { 0 };

		for (unsigned i = 0; i < 4; i++)
			pace_begin(&lane[i], &plan, i, 4, seed);
		for (uint64_t second = 1; second <= 400; second++) {
			double count = 0;

			for (unsigned i = 0; i < 4; i++) {
				for (; pace_next(&lane[i]) < second * S; pace_advance(&lane[i])) {
					longer += pace_next(&lane[i]) - last[i] > 4 * S / 1000;
					last[i] = pace_next(&lane[i]);
					count++;
				}
			}
			sum += count;
			squares += count * count;
			all += count;
		}
		cr_assert(fabs(sum / 400 - 1000) < 8, "mean %g", sum / 400);
		cr_assert(fabs((squares - sum * sum / 400) / 399 / 1000 - 1) < 0.35, "variance %g",
			(squares - sum * sum / 400) / 399);
		cr_assert(fabs(longer / all - exp(-1)) < 0.01, "share %g", longer / all);
	}
}

Test(unit_pace, a_plan_that_ends)
{
	struct pace_plan plan = { .stages = 0 };
	struct pace p;

	cr_assert_eq(pace_parse_ramp("1000:0:1", &plan), 0);
	pace_begin(&p, &plan, 0, 1, 1);
	/* the 500th job would come at the very end, where the rate is 0 */
	cr_assert_eq(pace_skip(&p, 100 * S, UINT64_MAX) / 2, 250);
	for (unsigned i = 0; i < 3; i++, pace_advance(&p))
		;
	cr_assert_eq(pace_next(&p), PACE_NEVER);
}
