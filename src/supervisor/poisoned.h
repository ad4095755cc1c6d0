/* SPDX-License-Identifier: MIT */
/*
 * poisoned.h - keys whose jobs ended workers, as the supervisor counts them: of jobs by handoff by
 * itself, of jobs on leases by what the engine says (FAULT). It refuses what waits in its queue,
 * and writes the line of the log.
 */
#ifndef BROOD_SUPERVISOR_POISONED_H
#define BROOD_SUPERVISOR_POISONED_H

#include "record.h"

/*
 * Called when an attempt of a job with a key has its verdict: counts a fault. True: the key is on
 * the list, so the job has no other attempt.
 */
bool poisoned_count(struct job *job);
/* True: the job's key, which is not 0, is on the list. */
bool poisoned_has(const struct job *job);
/* A job on a lease was a fault. m: FAULT, whose given_ns is the time of the death. */
void poisoned_hear(struct supervisor *s, const struct message_job *m);

#endif
