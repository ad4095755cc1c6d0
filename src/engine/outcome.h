/* SPDX-License-Identifier: MIT */
/*
 * outcome.h - what becomes of a job that no worker's result decides: verdicts that the engine makes
 * up, further attempts, and what a stop drops.
 */
#ifndef BROOD_ENGINE_OUTCOME_H
#define BROOD_ENGINE_OUTCOME_H

#include <brood.h>
#include <stdbool.h>

/* The attempts of a job: how many are left, how many were made, and what came of the last one. */
struct tries {
	uint32_t left, made, moved;
	uint32_t on, pause_ms; /* options.retry_on, retry_pause_ms */
	bool cancelled;
	bool pause; /* the next attempt is to wait for pause_ms first */
	bool ran;   /* an attempt had started; `before` is its verdict */
	struct brood_verdict before;
};

/* True: the options allow another attempt after this verdict. */
bool outcome_may_again(const struct tries *t, const struct brood_verdict *v);
/* Counts a further attempt as begun. The options allow it. v: the verdict of the last one. */
void outcome_again(struct tries *t, const struct brood_verdict *v);
/* Sets the job's verdict after its attempts: v; or t->before, if the last attempt did not run. */
void outcome_of_tries(const struct tries *t, struct brood_verdict *v);
/* Makes the verdict of a job that gets none from elsewhere. given_ns: when it was given. */
struct brood_verdict outcome_made_up(
	enum brood_outcome outcome, enum brood_detail detail, uint64_t given_ns);
/* Makes the verdict of a call that never became a job, from its -errno. */
struct brood_verdict outcome_of_error(int error);
/* Counts a refused job, if the error is a refusal. Returns the error. Takes brood.lock. */
int outcome_refused(struct brood_pool *pool, int error);
/*
 * The job has its verdict: counts it if the stop refused or lost the job. May be called under any
 * lock. tag: NULL or "": none.
 */
void outcome_count_drop(
	struct brood *b, const struct brood_verdict *v, const char *name, const char *tag);

#endif
