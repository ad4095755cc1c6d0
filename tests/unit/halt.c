/* SPDX-License-Identifier: MIT */
/* halt.c - every phase with every state of the pool; then whole stops. */
#include "pool/halt.h"
#include <brood.h>
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_halt, .timeout = 60);

#define AT    (1000 * NS_PER_S)
#define MS(n) ((uint64_t)(n)*NS_PER_MS)
#define STOP  200u

enum {
	NONE = HALT_NONE,
	DRAIN = HALT_DRAIN,
	CANCEL = HALT_CANCEL,
	KILL = HALT_KILL,
	DONE = HALT_DONE
};

/* [phase][time is up][jobs are out][workers are alive] -> phase */
static const int table[HALT_DONE + 1][2][2][2] = {
	[HALT_NONE] = { { { NONE, NONE }, { NONE, NONE } }, { { NONE, NONE }, { NONE, NONE } } },
	[HALT_DRAIN] = { { { CANCEL, CANCEL }, { DRAIN, DRAIN } },
		{ { CANCEL, CANCEL }, { CANCEL, CANCEL } } },
	[HALT_CANCEL] = { { { DONE, CANCEL }, { CANCEL, CANCEL } },
		{ { DONE, KILL }, { KILL, KILL } } },
	[HALT_KILL] = { { { DONE, KILL }, { KILL, KILL } }, { { DONE, DONE }, { DONE, DONE } } },
	[HALT_DONE] = { { { DONE, DONE }, { DONE, DONE } }, { { DONE, DONE }, { DONE, DONE } } },
};
/* The time of a phase that has just begun. */
static const uint64_t reached_next[HALT_DONE + 1] = {
	[HALT_CANCEL] = AT + MS(STOP),
	[HALT_KILL] = AT + MS(HALT_KILL_MS),
	[HALT_DONE] = TIME_NEVER,
};

static void check_cell(unsigned phase, bool up, bool jobs, bool workers)
{
	int want = table[phase][up][jobs][workers];
	struct halt h = {
		.phase = (enum halt_phase)phase, .next = up ? AT : AT + 1, .stop_ms = STOP
	};
	bool changed = halt_step(&h, AT, jobs ? 3 : 0, workers ? 5 : 0);

	cr_assert_eq((int)h.phase, want, "phase %u, up %d, jobs %d, workers %d: %d", phase, up,
		jobs, workers, (int)h.phase);
	cr_assert_eq(changed, want != (int)phase);
	if (changed)
		cr_assert_eq(h.next, reached_next[want]);
	else
		cr_assert_eq(h.next, up ? AT : AT + 1);
}

Test(unit_halt, every_phase_with_everything)
{
	for (unsigned phase = HALT_NONE; phase <= HALT_DONE; phase++)
		for (unsigned bits = 0; bits < 8; bits++)
			check_cell(phase, bits & 1, bits & 2, bits & 4);
}

Test(unit_halt, a_quiet_stop)
{
	struct halt h = { 0 };

	cr_assert_not(halt_step(&h, AT, 0, 0), "not asked for");
	halt_begin(&h, AT, 5000, 1000);
	cr_assert_eq(h.phase, HALT_DRAIN);
	cr_assert_eq(h.next, AT + MS(5000));
	cr_assert_not(halt_step(&h, AT, 2, 8));
	cr_assert(halt_step(&h, AT + MS(7), 0, 8));
	cr_assert_eq(h.phase, HALT_CANCEL);
	cr_assert_eq(h.next, AT + MS(1007));
	cr_assert_not(halt_step(&h, AT + MS(8), 0, 3));
	cr_assert(halt_step(&h, AT + MS(9), 0, 0));
	cr_assert_eq(h.phase, HALT_DONE);
	cr_assert_not(halt_step(&h, TIME_NEVER, 0, 0));
}

Test(unit_halt, every_step_is_bounded)
{
	struct halt h = { 0 };
	uint64_t now = AT;

	halt_begin(&h, now, 100, STOP);
	for (int want = HALT_CANCEL; want <= HALT_DONE; want++) {
		cr_assert_not(halt_step(&h, h.next - 1, 1, 1));
		now = h.next;
		cr_assert(halt_step(&h, now, 1, 1));
		cr_assert_eq((int)h.phase, want);
	}
	cr_assert_eq(now, AT + MS(100 + STOP + HALT_KILL_MS));
}

Test(unit_halt, again_only_ever_shortens)
{
	struct halt h = { 0 };

	halt_begin(&h, AT, 5000, 1000);
	halt_begin(&h, AT + MS(1), 60000, 60000);
	cr_assert_eq(h.next, AT + MS(5000));
	cr_assert_eq(h.stop_ms, 1000);
	halt_begin(&h, AT + MS(1), 10, 20);
	cr_assert_eq(h.next, AT + MS(11));
	cr_assert_eq(h.stop_ms, 20);
	cr_assert(halt_step(&h, AT + MS(11), 1, 1));
	cr_assert_eq(h.next, AT + MS(31));
	halt_begin(&h, AT + MS(12), 0, 5000);
	cr_assert_eq(h.next, AT + MS(31));
	cr_assert_eq(h.phase, HALT_CANCEL, "it never goes back");
	halt_begin(&h, AT + MS(12), 0, 0);
	cr_assert_eq(h.next, AT + MS(12), "forced: at once");
	cr_assert(halt_step(&h, AT + MS(12), 1, 1));
	cr_assert_eq(h.phase, HALT_KILL);
	halt_begin(&h, AT + MS(13), 0, 0);
	cr_assert_eq(h.next, AT + MS(12 + HALT_KILL_MS));
	cr_assert(halt_step(&h, h.next, 1, 1));
	halt_begin(&h, AT, 1, 1);
	cr_assert_eq(h.phase, HALT_DONE);
}

Test(unit_halt, for_ever)
{
	struct halt h = { 0 };

	halt_begin(&h, AT, BROOD_FOREVER, BROOD_FOREVER);
	cr_assert_eq(h.next, TIME_NEVER);
	cr_assert_not(halt_step(&h, TIME_NEVER, 1, 1));
	cr_assert(halt_step(&h, AT, 0, 1), "done is done");
	cr_assert_eq(h.next, TIME_NEVER);
	cr_assert_not(halt_step(&h, TIME_NEVER - 1, 0, 1));
	halt_begin(&h, AT + 1, BROOD_FOREVER, 7);
	cr_assert_eq(h.next, AT + 1 + MS(7), "until somebody wants it sooner");

	h = (struct halt){ 0 };
	halt_begin(&h, TIME_NEVER - 3, 1000, 1000);
	cr_assert_eq(h.next, TIME_NEVER, "no wrap");
}
