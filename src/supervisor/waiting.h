/* SPDX-License-Identifier: MIT */
/*
 * waiting.h - the queue: who enters it, and who comes back to its front.
 */
#ifndef BROOD_SUPERVISOR_WAITING_H
#define BROOD_SUPERVISOR_WAITING_H

#include "record.h"

/* a new one: to the queue, unless there is a reason to refuse it */
void waiting_enter(struct job *job);
/*
 * To the front, for one that was not started. False: its caller forbids it, or that was often
 * enough; the verdict says so.
 */
bool waiting_redispatch(struct job *job);
/* the same for one that was killed from outside */
bool waiting_retry(struct job *job);

#endif
