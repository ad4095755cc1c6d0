/* SPDX-License-Identifier: MIT */
/* spawn.h - fills empty places with workers: asks the spawner for them, or makes them. */
#ifndef BROOD_SUPERVISOR_SPAWN_H
#define BROOD_SUPERVISOR_SPAWN_H

#include "slot.h"

/* Fills empty places now, or when backoff allows. */
void spawn_due(struct supervisor *s);
timer_fn spawn_timer_fired;

/*
 * The slot's process. ORDERED: as the roster has it, which has a worker before the worker begins:
 * who looks here after a look at a process sees each worker. 0: none
 */
pid_t spawn_process(const struct slot *slot);
/* What became of an order, of a slot in ORDERED. */
void spawn_done(struct slot *slot, pid_t pid);
void spawn_undone(struct slot *slot, int error); /* 0: nobody tried; it is asked for again */

#endif
