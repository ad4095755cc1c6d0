/* SPDX-License-Identifier: MIT */
/* watchdog.c - when the service manager hears that all is well: with a clock that the test sets. */
#include "pool/watchdog.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_watchdog, .timeout = 60);

#define AT    (1000 * NS_PER_S)
#define MS(n) ((uint64_t)(n)*NS_PER_MS)

/* A watchdog, its clock, and what it has done so far. */
struct world {
	struct watchdog w;
	struct watchdog_sight sight;
	uint64_t now;
	int fed, asked, looks;
};

static struct world begin(uint64_t period_us, uint32_t answer_ms)
{
	struct world world = { .now = AT };

	watchdog_begin(&world.w, period_us, answer_ms, AT);
	return world;
}

/* Goes to the next step, and does it. False: none will come. */
static bool step(struct world *world)
{
	uint64_t next = watchdog_next(&world->w);
	enum watchdog_step due;

	if (next == TIME_NEVER)
		return false;
	world->now = MAX(world->now, next);
	while ((due = watchdog_due(&world->w, world->now)) != WATCHDOG_NOTHING) {
		world->asked += due == WATCHDOG_ASK;
		world->looks += due == WATCHDOG_LOOK;
		if (due == WATCHDOG_LOOK)
			world->fed += watchdog_look(&world->w, &world->sight, world->now);
	}
	return true;
}

static void run(struct world *world, uint64_t ns)
{
	uint64_t until = world->now + ns;

	while (watchdog_next(&world->w) <= until)
		cr_assert(step(world));
	world->now = until;
}

Test(unit_watchdog, without_a_time_there_is_nothing_to_do)
{
	struct world world = begin(0, 0);

	cr_assert_not(step(&world));
	cr_assert_eq(watchdog_due(&world.w, AT + MS(1000000)), WATCHDOG_NOTHING);
}

Test(unit_watchdog, feeds_once_in_each_period)
{
	struct world world = begin(500000, 0);

	run(&world, MS(10000));
	cr_assert_eq(world.fed, 21);
	cr_assert_eq(world.asked, 0);
}

/* However short the service manager's time is. */
Test(unit_watchdog, does_not_spin)
{
	for (uint64_t us = 1; us < 25000; us = us * 3 + 1) {
		struct world world = begin(us, 0);

		run(&world, MS(1000));
		cr_assert_eq(world.looks, 1000 / WATCHDOG_PERIOD_MIN_MS + 1, "%d", world.looks);
	}
}

/* [stopped][late][traced]: a stopped engine first, a late job then; a debugger harms nothing. */
Test(unit_watchdog, each_fault_is_named)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		struct world world = begin(500000, 100);
		enum watchdog_fault want = bits & 1 ? WATCHDOG_STOPPED
			: bits & 2                  ? WATCHDOG_LATE
						    : WATCHDOG_WELL;

		world.sight = (struct watchdog_sight){
			.stopped = bits & 1, .late = bits & 2, .traced = bits & 4
		};
		run(&world, MS(5000));
		cr_assert_eq(world.w.fault, want, "%u: %d", bits, world.w.fault);
		cr_assert_eq(world.fed, want == WATCHDOG_WELL ? 11 : 0, "%u: %d", bits, world.fed);
		world.sight = (struct watchdog_sight){ .answered = true };
		run(&world, MS(500));
		cr_assert_eq(world.w.fault, WATCHDOG_WELL);
	}
}

/* An engine that sleeps gives no answer, and no sign that anything is wrong: for ever. */
Test(unit_watchdog, an_idle_engine_is_well)
{
	static const uint32_t answers[] = { 100, 499, 500, 501, 1000, 30000 };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct world world = begin(500000, answers[i]);

		run(&world, MS(100000));
		cr_assert_eq(world.fed, 201, "%u: %d", answers[i], world.fed);
		cr_assert_gt(world.asked, 2);
	}
}

/* It is asked right before the look, and no earlier than it needs to be. */
Test(unit_watchdog, asks_near_the_look)
{
	struct world world = begin(500000, 100);

	cr_assert(step(&world));
	cr_assert_eq(world.fed, 1);
	cr_assert(step(&world));
	cr_assert_eq(world.asked, 1);
	cr_assert_eq(world.now, AT + MS(400));
	cr_assert(step(&world));
	cr_assert_eq(world.fed, 2);
	cr_assert_eq(world.now, AT + MS(500));
}

/* From the first silence: the time until the fault is known, at the latest. */
static uint64_t until_known(uint32_t answer_ms, struct watchdog_sight silent)
{
	struct world world = begin(500000, answer_ms);
	uint64_t began;

	world.sight.answered = true;
	run(&world, MS(10250));
	began = world.now;
	world.sight = silent;
	while (world.w.fault == WATCHDOG_WELL)
		cr_assert(step(&world) && world.now < began + MS(100000));
	return (world.now - began) / NS_PER_MS;
}

Test(unit_watchdog, silence_is_found_in_time)
{
	const struct watchdog_sight spins = { .spins = true }, waits = { .waits = true };

	for (uint32_t ms = 100; ms <= 5000; ms += 100) {
		cr_assert_leq(until_known(ms, spins), ms + 500, "%u", ms);
		cr_assert_leq(until_known(ms, waits), ms + 500, "%u", ms);
	}
}

Test(unit_watchdog, silence_is_judged_only_after_its_time)
{
	struct world world = begin(500000, 2000);

	world.sight.spins = true;
	run(&world, MS(1999));
	cr_assert_eq(world.w.fault, WATCHDOG_WELL);
	run(&world, MS(501));
	cr_assert_eq(world.w.fault, WATCHDOG_SPINS);
	cr_assert_eq(world.asked, 1);
	run(&world, MS(10000)); /* the question stays until it is answered */
	cr_assert_eq(world.asked, 1);
	cr_assert_eq(world.w.fault, WATCHDOG_SPINS);
	world.sight.answered = true;
	run(&world, MS(500));
	cr_assert_eq(world.w.fault, WATCHDOG_WELL);
}

/* A debugger, a stop, or a machine that stood still: the silence before counts no more. */
Test(unit_watchdog, what_explains_the_silence)
{
	for (int how = 0; how < 3; how++) {
		struct world world = begin(500000, 400);

		world.sight.answered = true;
		run(&world, MS(1450)); /* asked at 1100, and again at 1600 */
		world.sight = (struct watchdog_sight){ .waits = true,
			.spins = true,
			.stopped = how == 0,
			.traced = how == 1,
			.late = how == 2 };
		if (how == 2) {
			world.now += MS(60000);
			cr_assert(step(&world));
			cr_assert_eq(world.w.fault, WATCHDOG_WELL);
		} else {
			run(&world, MS(10000));
			cr_assert_eq(world.w.fault, how == 0 ? WATCHDOG_STOPPED : WATCHDOG_WELL);
		}
		world.sight.stopped = world.sight.traced = world.sight.late = false;
		world.sight.answered = true;
		run(&world, MS(1000));
		cr_assert_eq(world.w.fault, WATCHDOG_WELL, "%d: %d", how, world.w.fault);
	}
}

/* Without a service manager the engine may be watched, too. */
Test(unit_watchdog, an_answer_alone)
{
	struct world world = begin(0, 1000);

	world.sight.spins = true;
	run(&world, MS(2500));
	cr_assert_eq(world.w.fault, WATCHDOG_SPINS);
	cr_assert_leq(world.looks + world.asked, 5);
}

/* ---- late jobs ---- */

static struct ladder ladder_of(uint32_t grace_ms, uint32_t core_ms, bool abort)
{
	struct ladder l;

	ladder_start(&l, AT, 1000, grace_ms, core_ms, abort);
	return l;
}

Test(unit_watchdog, a_job_is_late_two_seconds_past_its_limits)
{
	struct ladder l = ladder_of(50, 5000, false);

	cr_assert_not(watchdog_job_late(&l, AT, 1000, AT + MS(1000 + 50 + 2000) - 1));
	cr_assert(watchdog_job_late(&l, AT, 1000, AT + MS(1000 + 50 + 2000)));
	cr_assert_not(watchdog_job_late(&l, AT, BROOD_FOREVER, TIME_NEVER - 1));
	l.grace_ms = BROOD_FOREVER;
	cr_assert_not(watchdog_job_late(&l, AT, 1000, TIME_NEVER - 1));
}

/* Whatever the worker does, a ladder that the supervisor climbs in time is never late. */
Test(unit_watchdog, a_ladder_in_time_is_never_late)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		bool abort = bits & 1, won = bits & 2;
		struct ladder l = ladder_of(50, 5000, abort);
		uint64_t now = AT, last;

		for (last = now; (now = ladder_next(&l)) != TIME_NEVER; last = now) {
			cr_assert_not(watchdog_job_late(&l, AT, 1000, now), "%u", bits);
			while (true) {
				enum ladder_action action = ladder_due(&l, now);

				if (action == LADDER_DO_CONDEMN)
					action = ladder_condemned(&l, now, won);
				if (action == LADDER_NOTHING)
					break;
			}
		}
		/* killed: a second later the job has its verdict, whatever the worker does */
		cr_assert_eq(l.step, LADDER_KILLED);
		cr_assert_not(watchdog_job_late(&l, AT, 1000, last + MS(1000)), "%u", bits);
	}
}
