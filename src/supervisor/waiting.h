/* SPDX-License-Identifier: MIT */
/* waiting.h - the queue: what enters it, and what comes back to its front. */
#ifndef BROOD_SUPERVISOR_WAITING_H
#define BROOD_SUPERVISOR_WAITING_H

#include "record.h"

/*
 * A job whose turn it is waits for a busy worker, for KEYS_WAIT_NS at most. Other jobs go first
 * meanwhile. It does so once.
 */
void waiting_for_key(struct job *job);
/* It goes to the front of the queue, before its time. */
void waiting_key_over(struct job *job);
/* A new job enters the queue, unless there is a reason to refuse it. */
void waiting_enter(struct job *job);
/*
 * Puts a job that was not started at the front of the queue. False: its caller forbids that, or it
 * happened too often; then the verdict says so.
 */
bool waiting_redispatch(struct job *job);
/* The same for a job that may have another attempt after this end. */
bool waiting_retry(struct job *job);

#endif
