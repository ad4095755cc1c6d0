/* SPDX-License-Identifier: MIT */
/*
 * ladder.h - the end of a running job, step by step. First the soft step: a signal that the job can
 * notice. Then the job is condemned: the supervisor tries to swap the slot page word. If it wins
 * the swap it kills: by SIGABRT first when the job asked for that, by SIGKILL after core_ms. If it
 * loses, the function has ended: then there is a last wait for FINISHED, and a kill all the same if
 * it does not come (stuck).
 */
#ifndef BROOD_POOL_LADDER_H
#define BROOD_POOL_LADDER_H

#include "../base/base.h"
#include <brood.h>

#define LADDER_LAST_WAIT_MS 1000
/* A slow job's worker has so many times so long to tell where the job is. */
#define LADDER_SAMPLE_MS    20
#define LADDER_SAMPLE_TIMES 10
enum ladder_step { LADDER_RUNNING, LADDER_SOFT, LADDER_ABORTED, LADDER_KILLED, LADDER_ENDED };
enum ladder_action {
	LADDER_NOTHING,
	LADDER_DO_SOFT,
	LADDER_DO_CONDEMN,
	LADDER_DO_KILL,
	LADDER_DO_KILL_STUCK,
	/*
	 * SAMPLE: the job is over its soft line: ask the worker where it is. SAY_SLOW: log it now.
	 */
	LADDER_DO_SAMPLE,
	LADDER_DO_SAY_SLOW
};
enum ladder_cause {
	LADDER_CAUSE_NONE,
	LADDER_CAUSE_DEADLINE,
	LADDER_CAUSE_CANCEL,
	LADDER_CAUSE_STOP
};
/* The ladder of one job. told: the soft step was made. */
struct ladder {
	enum ladder_step step;
	enum ladder_cause cause;
	uint64_t next;
	uint64_t
		slow_at; /* the soft line, then when to say so; TIME_NEVER: nothing is to be said */
	uint32_t grace_ms, core_ms;
	bool abort, told;
	uint32_t sampled; /* how often an answer was waited for; 0: the worker was not asked */
};
void ladder_start(struct ladder *l, uint64_t now, uint32_t run_ms, uint32_t grace_ms,
	uint32_t core_ms, bool abort);
/* The job runs since then, and is slow when it does so for slow_ms; 0: never. */
void ladder_slow(struct ladder *l, uint64_t since, uint32_t slow_ms);
/*
 * Called after LADDER_DO_SAY_SLOW if the worker has not answered yet. True: wait once more. False:
 * do not wait any longer, say now that the job is slow.
 */
bool ladder_unanswered(struct ladder *l, uint64_t now);
/*
 * The job is to end now, because of a cancel or the stop: makes the soft step due at once. Does
 * nothing if that step was made, or if the job has such a cause already.
 */
void ladder_hurry(struct ladder *l, uint64_t now, enum ladder_cause cause);
/*
 * For the KILL phase of a stop: the step that the ladder waits for, for ever perhaps, is due now. A
 * job that still runs is to be condemned, with or without a soft step before.
 */
void ladder_force(struct ladder *l, uint64_t now, enum ladder_cause cause);
/*
 * Returns the step that is due. Call again until it returns LADDER_NOTHING. After DO_CONDEMN the
 * caller swaps and tells ladder_condemned() the result; until then no other step is due.
 */
enum ladder_action ladder_due(struct ladder *l, uint64_t now);
/*
 * Says what to do after the swap: DO_KILL (by SIGABRT if l->step is ABORTED after the call) or
 * NOTHING.
 */
enum ladder_action ladder_condemned(struct ladder *l, uint64_t now, bool won);
uint64_t ladder_next(const struct ladder *l); /* TIME_NEVER: no step is left */
/* The verdict flag of the cause, of enum brood_verdict_flags. */
static inline uint32_t ladder_flag(enum ladder_cause cause)
{
	return cause == LADDER_CAUSE_NONE        ? 0
		: cause == LADDER_CAUSE_DEADLINE ? BROOD_TOLD_DEADLINE
		: cause == LADDER_CAUSE_CANCEL   ? BROOD_TOLD_CANCEL
						 : BROOD_TOLD_STOP;
}

#endif
