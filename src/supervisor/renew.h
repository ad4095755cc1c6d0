/* SPDX-License-Identifier: MIT */
/*
 * renew.h - workers that are well, and are to be replaced.
 */
#ifndef BROOD_SUPERVISOR_RENEW_H
#define BROOD_SUPERVISOR_RENEW_H

#include "slot.h"

/* At the start: as the pool's options say. */
void renew_prepare(struct pool *pool);
/*
 * From now on it is due. Said twice, the first cause stays; but any other takes the place of a
 * reload, which may fail, and then its workers are not due any more.
 */
void renew_due(struct slot *slot, enum retire_cause cause);
/* Its worker is ready: what its share of the limits is counts from here. */
void renew_ready(struct slot *slot);
/* Its job or lease is over, and it may not have another one. Not one that has died meanwhile. */
bool renew_goes(const struct slot *slot);
/* It goes now. cause: of one that is not due; NONE: what it is due for */
void renew_end(struct slot *slot, enum retire_cause cause);
/*
 * The worker lives, was on a pinned lease, and is to end: it did a job there, whose memory nobody
 * else is to see, or it is due.
 */
bool renew_after_lease(const struct slot *slot);
/* Opens and closes extra places, and lets idle workers go, and recalls leases. */
void renew_step(struct pool *pool);
timer_fn renew_age_fired;

#endif
