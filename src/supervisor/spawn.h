/* SPDX-License-Identifier: MIT */
/* spawn.h - fills empty places with workers: asks the spawner for them, or makes them. */
#ifndef BROOD_SUPERVISOR_SPAWN_H
#define BROOD_SUPERVISOR_SPAWN_H

#include "slot.h"

/* Fills empty places now, or when backoff allows. */
void spawn_due(struct supervisor *s);
timer_fn spawn_timer_fired;

/*
 * Returns the pid of the slot's process; 0: there is none. For a slot in ORDERED the roster tells:
 * the kernel writes the pid there before the worker begins. So whoever finds an unknown child, and
 * asks for the pids afterwards, learns whether the child is a worker.
 */
pid_t spawn_process(const struct slot *slot);
/* Ends the order of a slot in ORDERED: its worker was born, with this pid. */
void spawn_done(struct slot *slot, pid_t pid);
/* Ends the order: no worker was born. error: -errno; 0: nobody tried, so the slot asks again. */
void spawn_undone(struct slot *slot, int error);

#endif
