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
uint32_t undead_alive(struct pool *pool); /* processes */
/* of these, killed a short time ago: they may just be slow */
uint32_t undead_fresh(struct pool *pool, uint64_t now);

#endif
