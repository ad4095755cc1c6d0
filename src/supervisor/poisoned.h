/* SPDX-License-Identifier: MIT */
/*
 * poisoned.h - counts for each key the jobs that ended their worker. The supervisor sees this of
 * jobs by handoff; the engine tells it of jobs on leases (FAULT). The supervisor refuses jobs of
 * poisoned keys that wait in its queue, and logs when a key gets on the poison list.
 */
#ifndef BROOD_SUPERVISOR_POISONED_H
#define BROOD_SUPERVISOR_POISONED_H

#include "record.h"

/*
 * Called when an attempt of a job with a key has its verdict: counts the attempt if it was a fault.
 * True: the key is on the poison list, so the job has no other attempt.
 */
bool poisoned_count(struct job *job);
/* True: the job's key, which is not 0, is on the list. */
bool poisoned_has(const struct job *job);
/* Counts the fault of a job on a lease. m: FAULT, whose given_ns is the time of the death. */
void poisoned_hear(struct supervisor *s, const struct message_job *m);

#endif
