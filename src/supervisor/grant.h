/* SPDX-License-Identifier: MIT */
/* grant.h - the beginning and the end of a lease. */
#ifndef BROOD_SUPERVISOR_GRANT_H
#define BROOD_SUPERVISOR_GRANT_H

#include "slot.h"

/* Gives a lease to the slot's worker. 0, or -errno as frame_send(). */
int grant_give(struct slot *slot, struct job *job, uint64_t now);
/* True: the request waits until another lease ends, for the pool has as many as it may have. */
bool grant_must_wait(const struct pool *pool, const struct job *job);
/*
 * Ends a lease whose worker says LEFT. False: the worker is not on that lease, or a job of it was
 * condemned; LEFT does not count.
 */
bool grant_end_by_return(struct slot *slot, const struct message_left *m);
/* Ends a dead worker's lease. slot->facts are complete. used: its CPU time and memory. */
void grant_end_by_death(struct slot *slot, const struct brood_verdict *used);

#endif
