/* SPDX-License-Identifier: MIT */
/*
 * outcome.h - what becomes of a job besides what its worker comes to: verdicts that are made up
 * here, further attempts, and what a stop drops.
 */
#ifndef BROOD_ENGINE_OUTCOME_H
#define BROOD_ENGINE_OUTCOME_H

#include <brood.h>
#include <stdbool.h>

/* The attempts: those to come, those made, and what the last one came to. */
struct tries {
	uint32_t left, made, moved;
	uint32_t on, pause_ms; /* options.retry_on, retry_pause_ms */
	bool cancelled;
	bool pause; /* the next attempt is to wait for pause_ms first */
	bool ran;   /* an attempt had started; `before` is its verdict */
	struct brood_verdict before;
};

/* do the options allow another attempt after this verdict? */
bool outcome_may_again(const struct tries *t, const struct brood_verdict *v);
/* True: the options allow another attempt, and it counts as begun. */
bool outcome_again(struct tries *t, const struct brood_verdict *v);
/* the last verdict becomes that of the job: one that came to nothing leaves the one before */
void outcome_of_tries(const struct tries *t, struct brood_verdict *v);
/* nobody else gives this job a verdict. given_ns: when it was given */
struct brood_verdict outcome_made_up(
	enum brood_outcome outcome, enum brood_detail detail, uint64_t given_ns);
/* of a call that never became a job, for this -errno */
struct brood_verdict outcome_of_error(int error);
/* counts it when it is a refusal; returns error. Takes brood.lock */
int outcome_refused(struct brood_pool *pool, int error);
/*
 * A job has its verdict; once the stop has begun, one that it refused or lost is counted. Any lock.
 */
void outcome_count_drop(struct brood *b, const struct brood_verdict *v, const char *name);

#endif
