/* SPDX-License-Identifier: MIT */
/*
 * grant.h - a lease: its begin and its end.
 */
#ifndef BROOD_SUPERVISOR_GRANT_H
#define BROOD_SUPERVISOR_GRANT_H

#include "slot.h"

/* 0 or -errno as frame_send() */
int grant_give(struct slot *slot, struct job *job, uint64_t now);
/* The request waits until another lease ends: the pool has as many as it may have. */
bool grant_must_wait(const struct pool *pool, const struct job *job);
/* False: it is not on that lease, and was dropped. */
bool grant_end_by_return(struct slot *slot, const struct message_left *m);
/* slot->facts are complete. used: CPU time and memory of the worker */
void grant_end_by_death(struct slot *slot, const struct brood_verdict *used);

#endif
