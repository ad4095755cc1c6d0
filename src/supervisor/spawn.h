/* SPDX-License-Identifier: MIT */
/* spawn.h - fills empty places with workers. */
#ifndef BROOD_SUPERVISOR_SPAWN_H
#define BROOD_SUPERVISOR_SPAWN_H

#include "root.h"

/* Fills empty places now, or when backoff allows. */
void spawn_due(struct supervisor *s);
timer_fn spawn_timer_fired;

#endif
