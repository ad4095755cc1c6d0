/* SPDX-License-Identifier: MIT */
/* waiting.h - the queue: what enters it, and what comes back to its front. */
#ifndef BROOD_SUPERVISOR_WAITING_H
#define BROOD_SUPERVISOR_WAITING_H

#include "record.h"

/*
 * The first job in the queue waits for the busy worker of its key, for KEYS_WAIT_NS at most, and
 * only once. Other jobs go first meanwhile.
 */
void waiting_for_key(struct job *job);
/* The job stops waiting for the worker of its key, and goes to the front of the queue. */
void waiting_key_over(struct job *job);
/* A new job enters the queue, unless there is a reason to refuse it. */
void waiting_enter(struct job *job);
/*
 * Puts a job that was not started at the front of the queue. False: the job ends with its verdict,
 * for BROOD_JOB_ONCE forbids another attempt, or too many workers died before they began it.
 */
bool waiting_redispatch(struct job *job);
/*
 * Puts a job that ran at the front of the queue, if its options and the cap on retries allow
 * another attempt. False: they do not, and the job ends with its verdict.
 */
bool waiting_retry(struct job *job);

#endif
