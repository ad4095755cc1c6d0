/* SPDX-License-Identifier: MIT */
/* deadline.h - ends a job that takes too long, or is cancelled, step by step. */
#ifndef BROOD_SUPERVISOR_DEADLINE_H
#define BROOD_SUPERVISOR_DEADLINE_H

#include "slot.h"

/* Starts the ladder of a job that was handed off, to a BUSY slot. */
void deadline_start(struct slot *slot, const struct message_job *m, uint64_t now);
/* Does the ladder's steps that are due. */
void deadline_enforce(struct slot *slot, uint64_t now);
void deadline_hurry(struct slot *slot, uint64_t now, enum ladder_cause cause);
/* Does due steps for the job on a lease. False: the swap to condemn it failed, so look again. */
bool deadline_enforce_lease(struct slot *slot, uint64_t now);
void deadline_kill_stuck(struct slot *slot);
bool deadline_spares_debugged(struct slot *slot);

#endif
