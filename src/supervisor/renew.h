/* SPDX-License-Identifier: MIT */
/*
 * renew.h - replaces workers that are well, but old, worn or out of date.
 */
#ifndef BROOD_SUPERVISOR_RENEW_H
#define BROOD_SUPERVISOR_RENEW_H

#include "slot.h"

/* Called at the start: takes the limits from the pool's options. */
void renew_prepare(struct pool *pool);
/*
 * The slot's worker is due from now on. A second cause does not replace the first one, except that
 * any cause replaces RELOAD: a reload may fail, and then its workers are not due any more.
 */
void renew_due(struct slot *slot, enum retire_cause cause);
/* The slot's worker is ready: its age counts from here. A reload since its birth makes it due. */
void renew_ready(struct slot *slot);
/*
 * True: the slot's worker, whose job or lease is over, is to end now, because it is due and the
 * pool can do without it. False for a worker that has died meanwhile.
 */
bool renew_goes(const struct slot *slot);
/* Ends the slot's worker now. cause: for the log; NONE: the cause for which the worker is due. */
void renew_end(struct slot *slot, enum retire_cause cause);
/*
 * True: the worker lives, its pinned lease is over, and it is to end. Either it did a job on the
 * lease, whose memory no other caller is to see, or it is due.
 */
bool renew_after_lease(const struct slot *slot);
/* One step of the renewal: opens or closes extra places, ends idle workers, recalls leases. */
void renew_step(struct pool *pool);
timer_fn renew_age_fired;

#endif
