/* SPDX-License-Identifier: MIT */
/* retire.c - who retires, and how many at a time, with numbers in place of a pool. */
#include "pool/retire.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_retire, .timeout = 20);

/* ---- the limits of one worker ---- */

Test(unit_retire, jitter_takes_off_a_tenth_at_most)
{
	const struct retire_limits limits = { .jobs = 1000, .age_ms = 60000 };
	uint64_t random = 1, least_jobs = 1000, most_jobs = 0, least_age = TIME_NEVER, most_age = 0;

	for (int i = 0; i < 10000; i++) {
		struct retire_lot lot = retire_draw(&limits, &random);

		least_jobs = MIN(least_jobs, lot.jobs);
		most_jobs = MAX(most_jobs, lot.jobs);
		least_age = MIN(least_age, lot.age_ns);
		most_age = MAX(most_age, lot.age_ns);
	}
	cr_assert_eq(least_jobs, 900);
	cr_assert_eq(most_jobs, 1000);
	cr_assert_geq(least_age, 54000 * NS_PER_MS);
	cr_assert_leq(least_age, 54100 * NS_PER_MS);
	cr_assert_leq(most_age, 60000 * NS_PER_MS);
	cr_assert_geq(most_age, 59900 * NS_PER_MS);
}

Test(unit_retire, one_job_is_exact_and_zero_is_never)
{
	const struct retire_limits one = { .jobs = 1 }, none = { 0 };
	uint64_t random = 7;

	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(retire_draw(&one, &random).jobs, 1);
		cr_assert_eq(retire_draw(&none, &random).jobs, 0);
		cr_assert_eq(retire_draw(&none, &random).age_ns, 0);
	}
	for (uint32_t jobs = 2; jobs < 10; jobs++) {
		const struct retire_limits few = { .jobs = jobs };

		cr_assert_eq(retire_draw(&few, &random).jobs, jobs, "a tenth is none");
	}
}

Test(unit_retire, largest_limits)
{
	struct retire_limits limits = { .jobs = UINT32_MAX, .age_ms = UINT32_MAX - 1 };
	uint64_t random = 3;
	struct retire_lot lot = retire_draw(&limits, &random);

	cr_assert_geq(lot.jobs, UINT32_MAX / 10 * 9);
	cr_assert_geq(lot.age_ns, UINT32_MAX / 10 * 9 * NS_PER_MS);
	limits.age_ms = BROOD_FOREVER;
	cr_assert_eq(retire_draw(&limits, &random).age_ns, 0, "it never retires for its age");
}

/* ---- how many ---- */

Test(unit_retire, surge)
{
	struct retire_limits limits = { 0 };

	cr_assert_eq(retire_surge(&limits, 0), 1);
	cr_assert_eq(retire_surge(&limits, 1), 1);
	cr_assert_eq(retire_surge(&limits, 39), 1);
	cr_assert_eq(retire_surge(&limits, 40), 2);
	cr_assert_eq(retire_surge(&limits, 1000), 50);
	limits.surge = 3;
	cr_assert_eq(retire_surge(&limits, 1000), 3);
	cr_assert_eq(retire_surge(&limits, 2), 2);
}

Test(unit_retire, replacement_first)
{
	const struct retire_limits limits = { .surge = 2 };
	struct retire_view v = { .workers = 8, .ready = 8, .due = 5, .spare = 2 };

	cr_assert_eq(retire_extra(&limits, &v), 2);
	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.extra = 2; /* opened, not born */
	v.spare = 0;
	cr_assert_eq(retire_extra(&limits, &v), 2);
	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.ready = 9;
	cr_assert_eq(retire_may_go(&limits, &v), 1);
	v.ready = 10;
	cr_assert_eq(retire_may_go(&limits, &v), 2);
	v.due = 1; /* the last: one place is closed, and one worker goes */
	cr_assert_eq(retire_extra(&limits, &v), 1);
	cr_assert_eq(retire_may_go(&limits, &v), 1);
	v.due = 0;
	cr_assert_eq(retire_extra(&limits, &v), 0);
	cr_assert_eq(retire_may_go(&limits, &v), 0);
}

/* A crash elsewhere: nobody goes before the pool is whole again. */
Test(unit_retire, nobody_goes_while_workers_are_missing)
{
	const struct retire_limits limits = { .surge = 1 };
	struct retire_view v = { .workers = 4, .ready = 4, .due = 3, .extra = 1, .spare = 1 };

	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.ready = 2;
	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.ready = 5;
	cr_assert_eq(retire_may_go(&limits, &v), 1);
}

Test(unit_retire, old_one_first)
{
	const struct retire_limits limits = { .surge = 2, .old_first = true };
	struct retire_view v = { .workers = 8, .ready = 8, .due = 5, .spare = 2 };

	cr_assert_eq(retire_extra(&limits, &v), 0);
	cr_assert_eq(retire_may_go(&limits, &v), 2);
	v.ready = 7;
	cr_assert_eq(retire_may_go(&limits, &v), 1);
	v.ready = 6;
	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.ready = 0;
	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.ready = 8;
	v.due = 1;
	cr_assert_eq(retire_may_go(&limits, &v), 1);
}

Test(unit_retire, in_place_where_there_is_no_room)
{
	const struct retire_limits limits = { .surge = 1 };
	struct retire_view v = { .workers = 8, .ready = 8, .due = 5 };

	cr_assert_eq(retire_extra(&limits, &v), 0, "the spare places are undead");
	cr_assert_eq(retire_may_go(&limits, &v), 1);
	v.spare = 1;
	cr_assert_eq(retire_may_go(&limits, &v), 0);
	v.cramped = true; /* no process can be made */
	cr_assert_eq(retire_extra(&limits, &v), 0);
	cr_assert_eq(retire_may_go(&limits, &v), 1);
	v.ready = 7;
	cr_assert_eq(retire_may_go(&limits, &v), 0);
}

/*
 * A pool in which births and ends take random times. It never has less ready workers than it is to
 * have, nor more processes than that and the surge; and all that are due go.
 */
struct model {
	uint32_t workers, surge, spare, old, fresh, due, empty, starting, ending;
};

static struct retire_view view_of(const struct model *m)
{
	return (struct retire_view){ .workers = m->workers,
		.ready = m->old + m->fresh,
		.due = m->due,
		.extra = m->old + m->fresh + m->empty + m->starting + m->ending - m->workers,
		.spare = m->spare };
}

static void balance(struct model *m, uint32_t extra, uint32_t is)
{
	for (; is < extra; is++, m->spare--)
		m->empty++;
	for (; is > extra && m->empty > 0; is--, m->spare++)
		m->empty--;
}

static void model_step(struct model *m, const struct retire_limits *limits, struct unit_random *r)
{
	struct retire_view v = view_of(m);
	uint32_t go;

	balance(m, retire_extra(limits, &v), v.extra);
	v = view_of(m);
	go = (uint32_t)unit_below(r, retire_may_go(limits, &v) + 1);
	m->old -= go;
	m->due -= go;
	m->ending += go;
	if (m->empty && unit_below(r, 2)) {
		m->empty--;
		m->starting++;
	}
	if (m->starting && unit_below(r, 3) == 0) {
		m->starting--;
		m->fresh++;
	}
	if (m->ending && unit_below(r, 3) == 0) {
		m->ending--;
		m->empty++;
	}
}

static void run_model(uint64_t seed, bool old_first)
{
	struct unit_random r = { seed };
	struct model m = { .workers = 1 + (uint32_t)unit_below(&r, 40), .spare = 5 };
	struct retire_limits limits = { .surge = 1 + (uint32_t)unit_below(&r, 5),
		.old_first = old_first };
	uint32_t surge = retire_surge(&limits, m.workers), steps = 0;

	m.old = m.due = m.workers;
	for (; (m.due || view_of(&m).extra) && steps < 100000; steps++) {
		model_step(&m, &limits, &r);
		cr_assert_geq(m.old + m.fresh + (old_first ? surge : 0), m.workers);
		cr_assert_leq(m.old + m.fresh + m.starting + m.ending,
			m.workers + (old_first ? 0 : surge));
	}
	cr_assert_eq(m.due, 0);
	cr_assert_eq(m.old, 0);
	cr_assert_eq(m.spare, 5);
}

Test(unit_retire, a_whole_pool)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++) {
		run_model(seed * 0x9e3779b97f4a7c15ull, false);
		run_model(seed * 0x9e3779b97f4a7c15ull, true);
	}
}

/* ---- memory ---- */

Test(unit_retire, memory_is_looked_at_closely_near_the_line)
{
	cr_assert_eq(retire_memory(0, UINT64_MAX, false), RETIRE_FINE, "no limit");
	cr_assert_eq(retire_memory(800, 0, false), RETIRE_FINE);
	cr_assert_eq(retire_memory(800, 699, false), RETIRE_FINE);
	cr_assert_eq(retire_memory(800, 700, false), RETIRE_LOOK_CLOSER);
	cr_assert_eq(retire_memory(800, 5000, false), RETIRE_LOOK_CLOSER);
	cr_assert_eq(retire_memory(800, 799, true), RETIRE_FINE);
	cr_assert_eq(retire_memory(800, 800, true), RETIRE_DUE);
	cr_assert_eq(retire_memory(1, 1, false), RETIRE_LOOK_CLOSER);
}
