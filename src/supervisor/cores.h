/* SPDX-License-Identifier: MIT */
/*
 * cores.h - so many core files a minute, so that a crash loop does not fill the disk.
 */
#ifndef BROOD_SUPERVISOR_CORES_H
#define BROOD_SUPERVISOR_CORES_H

#include "slot.h"

/* now; past the limit workers may make none until the minute is over */
bool cores_allowed(struct pool *pool, uint64_t now);
void cores_count(struct pool *pool, uint64_t now);  /* one was made */
void cores_adjust(struct slot *slot, uint64_t now); /* its limit, as it is to be now */
timer_fn cores_fired;

#endif
