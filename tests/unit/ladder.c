/* SPDX-License-Identifier: MIT */
/* ladder.c - every step with every event, then whole lives with a fake clock. */
#include "pool/ladder.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_ladder, .timeout = 60);

#define AT    (1000 * NS_PER_S)
#define RUN   300u
#define GRACE 50u
#define CORE  700u
#define MS(n) ((uint64_t)(n)*NS_PER_MS)

/* ---- the table: from each step, by each event, when it is due ---- */

enum event { DUE, TOO_EARLY, HURRY_CANCEL, HURRY_STOP, HURRY_NOBODY, FORCE, WON, LOST, EVENTS };
struct cell {
	enum ladder_action action;
	enum ladder_step step;
	uint64_t next;
	enum ladder_cause cause;
};

#define START_NEXT (AT + MS(1))
#define STAYS(s)                                                 \
	{                                                        \
		LADDER_NOTHING, s, START_NEXT, LADDER_CAUSE_NONE \
	}
#define STEPS (LADDER_ENDED + 1)

/*
 * At START_NEXT, when the step's time is up; TOO_EARLY is a nanosecond before. WON and LOST answer
 * DO_CONDEMN, so only SOFT can meet them.
 */
static const struct cell table[STEPS][EVENTS] = {
	[LADDER_RUNNING] = {
		[DUE] = { LADDER_DO_SOFT, LADDER_SOFT, START_NEXT + MS(GRACE),
			LADDER_CAUSE_DEADLINE },
		[TOO_EARLY]    = STAYS(LADDER_RUNNING),
		[HURRY_CANCEL] = { LADDER_NOTHING, LADDER_RUNNING, AT, LADDER_CAUSE_CANCEL },
		[HURRY_STOP]   = { LADDER_NOTHING, LADDER_RUNNING, AT, LADDER_CAUSE_STOP },
		[HURRY_NOBODY] = STAYS(LADDER_RUNNING),
		[FORCE]        = { LADDER_NOTHING, LADDER_SOFT, AT, LADDER_CAUSE_STOP },
	},
	[LADDER_SOFT] = {
		[DUE] = { LADDER_DO_CONDEMN, LADDER_SOFT, TIME_NEVER, LADDER_CAUSE_NONE },
		[TOO_EARLY]    = STAYS(LADDER_SOFT),
		[HURRY_CANCEL] = STAYS(LADDER_SOFT),
		[HURRY_STOP]   = STAYS(LADDER_SOFT),
		[HURRY_NOBODY] = STAYS(LADDER_SOFT),
		[FORCE]        = { LADDER_NOTHING, LADDER_SOFT, AT, LADDER_CAUSE_STOP },
		[WON]          = { LADDER_DO_KILL, LADDER_KILLED, TIME_NEVER, LADDER_CAUSE_NONE },
		[LOST] = { LADDER_NOTHING, LADDER_ENDED, START_NEXT + MS(LADDER_LAST_WAIT_MS),
			LADDER_CAUSE_NONE },
	},
	[LADDER_ABORTED] = {
		[DUE] = { LADDER_DO_KILL, LADDER_KILLED, TIME_NEVER, LADDER_CAUSE_NONE },
		[TOO_EARLY]    = STAYS(LADDER_ABORTED),
		[HURRY_CANCEL] = STAYS(LADDER_ABORTED),
		[HURRY_STOP]   = STAYS(LADDER_ABORTED),
		[HURRY_NOBODY] = STAYS(LADDER_ABORTED),
		[FORCE]        = { LADDER_NOTHING, LADDER_ABORTED, AT, LADDER_CAUSE_STOP },
	},
	[LADDER_KILLED] = {
		[DUE] = { LADDER_NOTHING, LADDER_KILLED, TIME_NEVER, LADDER_CAUSE_NONE },
		[TOO_EARLY]    = STAYS(LADDER_KILLED),
		[HURRY_CANCEL] = STAYS(LADDER_KILLED),
		[HURRY_STOP]   = STAYS(LADDER_KILLED),
		[HURRY_NOBODY] = STAYS(LADDER_KILLED),
		[FORCE]        = STAYS(LADDER_KILLED),
	},
	[LADDER_ENDED] = {
		[DUE] = { LADDER_DO_KILL_STUCK, LADDER_KILLED, TIME_NEVER, LADDER_CAUSE_NONE },
		[TOO_EARLY]    = STAYS(LADDER_ENDED),
		[HURRY_CANCEL] = STAYS(LADDER_ENDED),
		[HURRY_STOP]   = STAYS(LADDER_ENDED),
		[HURRY_NOBODY] = STAYS(LADDER_ENDED),
		[FORCE]        = { LADDER_NOTHING, LADDER_ENDED, AT, LADDER_CAUSE_STOP },
	},
};

static enum ladder_action apply(struct ladder *l, enum event event)
{
	switch (event) {
	case DUE: return ladder_due(l, START_NEXT);
	case TOO_EARLY: return ladder_due(l, START_NEXT - 1);
	case HURRY_CANCEL: ladder_hurry(l, AT, LADDER_CAUSE_CANCEL); return LADDER_NOTHING;
	case HURRY_STOP: ladder_hurry(l, AT, LADDER_CAUSE_STOP); return LADDER_NOTHING;
	case HURRY_NOBODY: ladder_hurry(l, AT, LADDER_CAUSE_NONE); return LADDER_NOTHING;
	case FORCE: ladder_force(l, AT, LADDER_CAUSE_STOP); return LADDER_NOTHING;
	case WON: return ladder_condemned(l, START_NEXT, true);
	case LOST: return ladder_condemned(l, START_NEXT, false);
	case EVENTS: break;
	}
	return LADDER_NOTHING;
}

Test(unit_ladder, every_step_with_every_event)
{
	for (unsigned step = 0; step < STEPS; step++) {
		for (unsigned event = 0; event < EVENTS; event++) {
			const struct cell *want = &table[step][event];
			struct ladder l;
			enum ladder_action action;

			if ((event == WON || event == LOST) && step != LADDER_SOFT)
				continue;
			ladder_start(&l, AT, 1, GRACE, CORE, false);
			l.step = (enum ladder_step)step;
			action = apply(&l, (enum event)event);
			cr_assert(action == want->action && l.step == want->step &&
					l.next == want->next && l.cause == want->cause,
				"step %u event %u: action %d step %d cause %d, next at %ld", step,
				event, (int)action, (int)l.step, (int)l.cause, (long)(l.next - AT));
			cr_assert_eq(ladder_next(&l), want->next);
		}
	}
}

/* ---- whole lives ---- */

Test(unit_ladder, a_deadline)
{
	struct ladder l;
	uint64_t now = AT;

	ladder_start(&l, now, RUN, GRACE, CORE, false);
	cr_assert_eq(ladder_next(&l), now += MS(RUN));
	cr_assert_eq(ladder_due(&l, now), LADDER_DO_SOFT);
	cr_assert_eq(ladder_due(&l, now), LADDER_NOTHING);
	cr_assert_eq(ladder_next(&l), now += MS(GRACE));
	cr_assert_eq(ladder_due(&l, now), LADDER_DO_CONDEMN);
	cr_assert_eq(ladder_condemned(&l, now, true), LADDER_DO_KILL);
	cr_assert_eq(l.step, LADDER_KILLED);
	cr_assert_eq(l.cause, LADDER_CAUSE_DEADLINE);
	cr_assert_eq(ladder_due(&l, TIME_NEVER), LADDER_NOTHING);
	cr_assert_eq(ladder_next(&l), TIME_NEVER);
}

Test(unit_ladder, with_a_core_that_takes_too_long)
{
	struct ladder l;
	uint64_t now = AT + MS(RUN);

	ladder_start(&l, AT, RUN, GRACE, CORE, true);
	cr_assert_eq(ladder_due(&l, now), LADDER_DO_SOFT);
	cr_assert_eq(ladder_due(&l, now += MS(GRACE)), LADDER_DO_CONDEMN);
	cr_assert_eq(ladder_condemned(&l, now, true), LADDER_DO_KILL);
	cr_assert_eq(l.step, LADDER_ABORTED, "the kill is SIGABRT");
	cr_assert_eq(ladder_due(&l, now + MS(CORE) - 1), LADDER_NOTHING);
	cr_assert_eq(ladder_due(&l, now + MS(CORE)), LADDER_DO_KILL);
	cr_assert_eq(l.step, LADDER_KILLED, "now SIGKILL");
	cr_assert_eq(ladder_next(&l), TIME_NEVER);
}

Test(unit_ladder, a_late_supervisor_shortens_nobodys_grace)
{
	struct ladder l;
	uint64_t late = AT + 60 * NS_PER_S;

	ladder_start(&l, AT, RUN, GRACE, CORE, false);
	cr_assert_eq(ladder_due(&l, late), LADDER_DO_SOFT);
	cr_assert_eq(ladder_due(&l, late), LADDER_NOTHING);
	cr_assert_eq(ladder_next(&l), late + MS(GRACE));
}

Test(unit_ladder, the_first_cause_stays)
{
	struct ladder l;

	ladder_start(&l, AT, RUN, GRACE, CORE, false);
	ladder_hurry(&l, AT + 5, LADDER_CAUSE_CANCEL);
	ladder_hurry(&l, AT + 9, LADDER_CAUSE_STOP);
	cr_assert_eq(l.cause, LADDER_CAUSE_CANCEL);
	cr_assert_eq(ladder_next(&l), AT + 5);
	cr_assert_eq(ladder_due(&l, AT + 9), LADDER_DO_SOFT);
	cr_assert_eq(l.cause, LADDER_CAUSE_CANCEL);

	ladder_start(&l, AT, RUN, GRACE, CORE, false);
	cr_assert_eq(ladder_due(&l, AT + MS(RUN)), LADDER_DO_SOFT);
	ladder_hurry(&l, AT + MS(RUN), LADDER_CAUSE_CANCEL);
	cr_assert_eq(l.cause, LADDER_CAUSE_DEADLINE);
	cr_assert_eq(ladder_next(&l), AT + MS(RUN + GRACE), "the grace is not shortened");
}

Test(unit_ladder, a_hurry_never_delays)
{
	struct ladder l;

	ladder_start(&l, AT, RUN, GRACE, CORE, false);
	ladder_hurry(&l, AT + MS(RUN) + 5, LADDER_CAUSE_STOP);
	cr_assert_eq(ladder_next(&l), AT + MS(RUN));
}

Test(unit_ladder, force_ends_all_patience)
{
	struct ladder l;

	ladder_start(&l, AT, BROOD_FOREVER, BROOD_FOREVER, BROOD_FOREVER, true);
	ladder_hurry(&l, AT, LADDER_CAUSE_CANCEL);
	cr_assert_eq(ladder_due(&l, AT), LADDER_DO_SOFT);
	cr_assert_eq(ladder_next(&l), TIME_NEVER);
	ladder_force(&l, AT + 7, LADDER_CAUSE_STOP);
	cr_assert_eq(l.cause, LADDER_CAUSE_CANCEL);
	cr_assert_eq(ladder_due(&l, AT + 7), LADDER_DO_CONDEMN);
	cr_assert_eq(ladder_condemned(&l, AT + 7, true), LADDER_DO_KILL);
	cr_assert_eq(l.step, LADDER_ABORTED);
	cr_assert_eq(ladder_next(&l), TIME_NEVER);
	ladder_force(&l, AT + 8, LADDER_CAUSE_STOP);
	cr_assert_eq(ladder_due(&l, AT + 8), LADDER_DO_KILL);
	cr_assert_eq(l.step, LADDER_KILLED);
	ladder_force(&l, AT + 9, LADDER_CAUSE_STOP);
	cr_assert_eq(ladder_due(&l, AT + 9), LADDER_NOTHING);
}

Test(unit_ladder, nothing_is_due_before_the_swap_is_answered)
{
	struct ladder l;

	ladder_start(&l, AT, 0, 0, 0, false);
	cr_assert_eq(ladder_due(&l, AT), LADDER_DO_SOFT);
	cr_assert_eq(ladder_due(&l, AT), LADDER_DO_CONDEMN);
	cr_assert_eq(ladder_due(&l, TIME_NEVER - 1), LADDER_NOTHING);
	cr_assert_eq(ladder_condemned(&l, AT, false), LADDER_NOTHING);
	cr_assert_eq(ladder_due(&l, AT + MS(LADDER_LAST_WAIT_MS)), LADDER_DO_KILL_STUCK);
}

Test(unit_ladder, for_ever)
{
	struct ladder l;

	ladder_start(&l, AT, BROOD_FOREVER, BROOD_FOREVER, BROOD_FOREVER, true);
	cr_assert_eq(ladder_next(&l), TIME_NEVER);
	cr_assert_eq(ladder_due(&l, TIME_NEVER), LADDER_NOTHING);
	ladder_hurry(&l, AT + 5, LADDER_CAUSE_CANCEL);
	cr_assert_eq(ladder_due(&l, AT + 5), LADDER_DO_SOFT, "a cancel reaches it all the same");
	cr_assert_eq(ladder_next(&l), TIME_NEVER, "and its grace is what it asked for");
	cr_assert_eq(ladder_condemned(&l, AT + 6, true), LADDER_DO_KILL,
		"the pool's stop condemns when it will");
	cr_assert_eq(ladder_next(&l), TIME_NEVER);

	ladder_start(&l, TIME_NEVER - 5, UINT32_MAX - 1, 1, 1, false);
	cr_assert_eq(ladder_next(&l), TIME_NEVER, "no wrap");
}

/*
 * Any finite times, any answers, hurried or not, asked early and late: there is one soft step, one
 * swap, at most two kills, and an end within a bound.
 */
static void run_life(struct unit_random *r)
{
	uint32_t run = (uint32_t)unit_below(r, 500), grace = (uint32_t)unit_below(r, 100),
		 core = (uint32_t)unit_below(r, 1000);
	uint64_t now = AT, late = 0,
		 bound = MS(run) + MS(grace) + MS(MAX(core, LADDER_LAST_WAIT_MS));
	int soft = 0, condemns = 0, kills = 0;
	bool won = unit_below(r, 2), abort = unit_below(r, 2);
	struct ladder l;

	ladder_start(&l, now, run, grace, core, abort);
	while (ladder_next(&l) != TIME_NEVER) {
		uint64_t overslept = unit_below(r, 3) ? 0 : unit_below(r, MS(20));
		enum ladder_action action;

		if (unit_below(r, 4) == 0)
			ladder_hurry(&l, now,
				unit_below(r, 2) ? LADDER_CAUSE_CANCEL : LADDER_CAUSE_STOP);
		now = MAX(now, ladder_next(&l)) + overslept;
		late += overslept;
		while ((action = ladder_due(&l, now)) != LADDER_NOTHING) {
			if (action == LADDER_DO_CONDEMN) {
				condemns++;
				cr_assert_eq(soft, 1, "never a kill without a word before");
				action = ladder_condemned(&l, now, won);
			}
			soft += action == LADDER_DO_SOFT;
			kills += action == LADDER_DO_KILL || action == LADDER_DO_KILL_STUCK;
			cr_assert_eq(action == LADDER_DO_KILL_STUCK,
				action != LADDER_NOTHING && kills && !won);
		}
	}
	cr_assert_eq(l.step, LADDER_KILLED);
	cr_assert_neq(l.cause, LADDER_CAUSE_NONE);
	cr_assert(soft == 1 && condemns == 1 && kills == (won && abort ? 2 : 1));
	cr_assert_leq(now - AT, bound + late);
}

Test(unit_ladder, slow)
{
	struct ladder l;

	ladder_start(&l, AT, 1000, 50, 100, false);
	ladder_slow(&l, AT, 200);
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 200));
	cr_assert_eq(ladder_due(&l, time_after_ms(AT, 199)), LADDER_NOTHING);
	cr_assert_eq(ladder_due(&l, time_after_ms(AT, 200)), LADDER_DO_SAMPLE);
	cr_assert_eq(ladder_due(&l, time_after_ms(AT, 200)), LADDER_NOTHING);
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 200 + LADDER_SAMPLE_MS));
	cr_assert_eq(ladder_due(&l, ladder_next(&l)), LADDER_DO_SAY_SLOW);
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 1000));
	cr_assert_eq(ladder_due(&l, ladder_next(&l)), LADDER_DO_SOFT);
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 1050));
	/* the worker does not answer: that is not waited for without a bound */
	ladder_start(&l, AT, 100000, 50, 100, false);
	ladder_slow(&l, AT, 200);
	cr_assert_eq(ladder_due(&l, ladder_next(&l)), LADDER_DO_SAMPLE);
	for (uint32_t i = 1; i < LADDER_SAMPLE_TIMES; i++) {
		uint64_t now = ladder_next(&l);

		cr_assert_eq(ladder_due(&l, now), LADDER_DO_SAY_SLOW);
		cr_assert(ladder_unanswered(&l, now));
		cr_assert_eq(ladder_next(&l), time_after_ms(now, LADDER_SAMPLE_MS));
	}
	cr_assert_eq(ladder_due(&l, ladder_next(&l)), LADDER_DO_SAY_SLOW);
	cr_assert(!ladder_unanswered(&l, AT));
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 100000));
	/* the end of its time, or a cancel, comes first: nothing is said */
	ladder_start(&l, AT, 1000, 50, 100, false);
	ladder_slow(&l, AT, 200);
	cr_assert_eq(ladder_due(&l, time_after_ms(AT, 2000)), LADDER_DO_SOFT);
	cr_assert_eq(ladder_due(&l, time_after_ms(AT, 2000)), LADDER_NOTHING);
	ladder_start(&l, AT, 1000, 50, 100, false);
	ladder_slow(&l, AT, 200);
	ladder_hurry(&l, AT, LADDER_CAUSE_CANCEL);
	cr_assert_eq(ladder_next(&l), AT);
	cr_assert_eq(ladder_due(&l, AT), LADDER_DO_SOFT);
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 50));
	/* no line */
	ladder_start(&l, AT, 1000, 50, 100, false);
	ladder_slow(&l, AT, 0);
	cr_assert_eq(ladder_next(&l), time_after_ms(AT, 1000));
}

Test(unit_ladder, every_life_ends_in_time)
{
	struct unit_random r = { 77 };

	for (int i = 0; i < 20000; i++)
		run_life(&r);
}
