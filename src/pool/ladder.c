/* SPDX-License-Identifier: MIT */
/*
 * ladder.c - see ladder.h. One time (`next`) and one step a job:
 *
 *   RUNNING  --run_ms, or hurry-->  SOFT     the job is told
 *   SOFT     --grace_ms-->  the slot page word is swapped, and ladder_condemned() hears who won:
 *               won, abort  ->  ABORTED      SIGABRT, for a core
 *               won         ->  KILLED       SIGKILL
 *               lost        ->  ENDED        the function has ended by itself: FINISHED comes
 *   ABORTED  --core_ms-->  KILLED            a core dump is bounded too
 *   ENDED    --LADDER_LAST_WAIT_MS-->  KILLED   and said as stuck
 *
 * Each time is counted from when the step before was really made, not from when it should have
 * been: a supervisor that was stopped for a while shortens nobody's grace. The cause is that of the
 * soft step and stays: a job whose time was up is not made "cancelled" by a cancel that came during
 * its grace.
 */
#include "ladder.h"

void ladder_start(struct ladder *l, uint64_t now, uint32_t run_ms, uint32_t grace_ms,
	uint32_t core_ms, bool abort)
{
	*l = (struct ladder){
		.step = LADDER_RUNNING,
		.cause = LADDER_CAUSE_NONE,
		.next = time_after_ms(now, run_ms),
		.slow_at = TIME_NEVER,
		.grace_ms = grace_ms,
		.core_ms = core_ms,
		.abort = abort,
	};
}

void ladder_slow(struct ladder *l, uint64_t since, uint32_t slow_ms)
{
	l->slow_at = slow_ms ? time_after_ms(since, slow_ms) : TIME_NEVER;
}

/*
 * The two steps of the soft line: first ask the worker where the job is, then say that the job is
 * slow.
 */
static enum ladder_action slow_due(struct ladder *l, uint64_t now)
{
	if (l->sampled) {
		l->slow_at = TIME_NEVER;
		return LADDER_DO_SAY_SLOW;
	}
	l->sampled = 1;
	l->slow_at = time_after_ms(now, LADDER_SAMPLE_MS);
	return LADDER_DO_SAMPLE;
}

bool ladder_unanswered(struct ladder *l, uint64_t now)
{
	if (l->sampled >= LADDER_SAMPLE_TIMES)
		return false;
	l->sampled++;
	l->slow_at = time_after_ms(now, LADDER_SAMPLE_MS);
	return true;
}

static bool may_be_slow(const struct ladder *l)
{
	return l->step == LADDER_RUNNING && l->cause == LADDER_CAUSE_NONE;
}

void ladder_hurry(struct ladder *l, uint64_t now, enum ladder_cause cause)
{
	if (l->step != LADDER_RUNNING || l->cause != LADDER_CAUSE_NONE ||
		cause == LADDER_CAUSE_NONE)
		return;
	l->cause = cause;
	l->next = MIN(l->next, now);
}

void ladder_force(struct ladder *l, uint64_t now, enum ladder_cause cause)
{
	if (l->step == LADDER_KILLED)
		return;
	if (l->cause == LADDER_CAUSE_NONE)
		l->cause = cause;
	if (l->step == LADDER_RUNNING)
		l->step = LADDER_SOFT;
	l->next = MIN(l->next, now);
}

enum ladder_action ladder_due(struct ladder *l, uint64_t now)
{
	if (may_be_slow(l) && l->slow_at != TIME_NEVER && now >= l->slow_at && now < l->next)
		return slow_due(l, now);
	if (l->next == TIME_NEVER || now < l->next)
		return LADDER_NOTHING;

	switch (l->step) {
	case LADDER_RUNNING:
		if (l->cause == LADDER_CAUSE_NONE)
			l->cause = LADDER_CAUSE_DEADLINE;
		l->step = LADDER_SOFT;
		l->told = true;
		l->next = time_after_ms(now, l->grace_ms);
		return LADDER_DO_SOFT;
	case LADDER_SOFT:
		l->next = TIME_NEVER; /* nothing is due until ladder_condemned() */
		return LADDER_DO_CONDEMN;
	case LADDER_ABORTED:
		l->step = LADDER_KILLED;
		l->next = TIME_NEVER;
		return LADDER_DO_KILL;
	case LADDER_ENDED:
		l->step = LADDER_KILLED;
		l->next = TIME_NEVER;
		return LADDER_DO_KILL_STUCK;
	case LADDER_KILLED: break;
	}
	l->next = TIME_NEVER;
	return LADDER_NOTHING;
}

enum ladder_action ladder_condemned(struct ladder *l, uint64_t now, bool won)
{
	if (!won) {
		l->step = LADDER_ENDED;
		l->next = time_after_ms(now, LADDER_LAST_WAIT_MS);
		return LADDER_NOTHING;
	}
	l->step = l->abort ? LADDER_ABORTED : LADDER_KILLED;
	l->next = l->abort ? time_after_ms(now, l->core_ms) : TIME_NEVER;
	return LADDER_DO_KILL;
}

uint64_t ladder_next(const struct ladder *l)
{
	return may_be_slow(l) ? MIN(l->next, l->slow_at) : l->next;
}
