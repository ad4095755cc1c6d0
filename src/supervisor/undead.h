/* SPDX-License-Identifier: MIT */
/*
 * undead.h - workers that were killed and do not end.
 */
#ifndef BROOD_SUPERVISOR_UNDEAD_H
#define BROOD_SUPERVISOR_UNDEAD_H

#include "slot.h"

timer_fn undead_time_up;
/* a sweep has found nothing: places whose process has ended are places again */
void undead_revive(struct pool *pool);
/* How many live on. now: only those killed a short time ago, which may just be slow; 0: all. */
uint32_t undead_alive(struct pool *pool, uint64_t now);

#endif
