/* SPDX-License-Identifier: MIT */
/*
 * caller.h - the words on which threads of the callers' queue sleep. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_CALLER_H
#define BROOD_ENGINE_CALLER_H

#include "../wire/ring.h"

struct queue;
struct queue_job;
struct lease;
struct sleeper;

/* The word on which the thread of `s` sleeps. */
_Atomic uint32_t *caller_sleeps_on(struct sleeper *s);
/* The job is about to be published in the ring: its thread will sleep on a word there. */
void caller_ringed(struct lease *lease, struct queue_job *job, uint64_t sequence);
/*
 * The job was taken back out of the ring: withdrawn, or rescued from a dead worker. Its sleeping
 * thread moves to a word of its own.
 */
void caller_unringed(struct lease *lease, struct queue_job *job);
/* To be called when the job has its verdict. Wakes its calling thread, if the worker has not. */
void caller_closed(struct queue *l, struct queue_job *job);
/* The lease's memory goes: no thread may sleep on a word there any more. */
void caller_lease_gone(struct lease *lease);
/*
 * Called before the thread sleeps: writes into its job's word in the ring how it will sleep. A job
 * that is in no ring has no word there. Returns false if the job is done: do not sleep.
 */
bool caller_arm(const struct queue_job *job, struct sleeper *s, enum caller_state how);

#endif
