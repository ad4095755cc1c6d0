/* SPDX-License-Identifier: MIT */
/* watchdog.c - see watchdog.h. */
#include "watchdog.h"

/* After a kill: how long until the job has its verdict, even if its worker does not end. */
#define UNDEAD_MS 1000u

/*
 * The engine is asked so long before the next look that it has `answer` to answer. If that is
 * longer than a period, it is asked at once, and a later look judges.
 */
static void plan(struct watchdog *w, uint64_t now)
{
	w->look_at = now + w->period;
	if (w->answer == 0 || w->asked_ns != 0)
		w->ask_at = TIME_NEVER;
	else
		w->ask_at = w->look_at - MIN(w->answer, w->period);
}

void watchdog_begin(struct watchdog *w, uint64_t period_us, uint32_t answer_ms, uint64_t now)
{
	*w = (struct watchdog){ .look_at = TIME_NEVER, .ask_at = TIME_NEVER };
	w->answer = answer_ms * NS_PER_MS;
	w->period = period_us ? MAX(period_us * NS_PER_US, WATCHDOG_PERIOD_MIN_MS * NS_PER_MS)
			      : w->answer;
	if (w->period)
		w->look_at = now;
}

enum watchdog_step watchdog_due(struct watchdog *w, uint64_t now)
{
	if (now >= w->look_at)
		return WATCHDOG_LOOK;
	if (now < w->ask_at)
		return WATCHDOG_NOTHING;
	w->ask_at = TIME_NEVER;
	w->asked_ns = now;
	return WATCHDOG_ASK;
}

/* What the engine's silence means. Forgets the question once it is settled. */
static enum watchdog_fault judge(
	struct watchdog *w, const struct watchdog_sight *see, bool too_late, uint64_t now)
{
	bool before = watchdog_unanswered(w->fault);

	if (w->asked_ns == 0)
		return WATCHDOG_WELL;
	if (!see->answered && !see->stopped && !see->traced && !too_late) {
		if (now - w->asked_ns < w->answer)
			return before ? w->fault : WATCHDOG_WELL;
		if (see->waits)
			return WATCHDOG_DEAF;
		if (see->spins)
			return WATCHDOG_SPINS;
	}
	w->asked_ns = 0;
	return WATCHDOG_WELL;
}

bool watchdog_look(struct watchdog *w, const struct watchdog_sight *see, uint64_t now)
{
	bool too_late = now - w->look_at > w->period / 2;
	enum watchdog_fault engine = judge(w, see, too_late, now);

	if (see->stopped)
		w->fault = WATCHDOG_STOPPED;
	else if (see->late && !too_late)
		w->fault = WATCHDOG_LATE;
	else
		w->fault = engine;
	plan(w, now);
	return w->fault == WATCHDOG_WELL;
}

uint64_t watchdog_next(const struct watchdog *w) { return MIN(w->look_at, w->ask_at); }

bool watchdog_job_late(const struct ladder *l, uint64_t since, uint32_t run_ms, uint64_t now)
{
	uint64_t end = time_after_ms(since, run_ms);

	if (end == TIME_NEVER || l->grace_ms == BROOD_FOREVER)
		return false;
	end += ((uint64_t)l->grace_ms + WATCHDOG_LATE_MS) * NS_PER_MS;
	if (l->step > LADDER_SOFT && l->abort && l->core_ms == BROOD_FOREVER)
		return false;
	if (l->step > LADDER_SOFT)
		end += (l->abort ? l->core_ms : 0) * NS_PER_MS +
			(LADDER_LAST_WAIT_MS + UNDEAD_MS) * NS_PER_MS;
	return now >= end;
}
