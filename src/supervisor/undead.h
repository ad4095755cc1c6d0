/* SPDX-License-Identifier: MIT */
/* undead.h - handles workers that were killed and do not end. */
#ifndef BROOD_SUPERVISOR_UNDEAD_H
#define BROOD_SUPERVISOR_UNDEAD_H

#include "slot.h"

timer_fn undead_time_up;
/* A sweep has found nothing: places of undead workers that have ended can be used again. */
void undead_revive(struct pool *pool);
/*
 * How many undead workers still live. now: counts only workers killed a short time before `now`,
 * which may just be slow to die. now 0: counts all.
 */
uint32_t undead_alive(struct pool *pool, uint64_t now);

#endif
