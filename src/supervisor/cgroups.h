/* SPDX-License-Identifier: MIT */
/* cgroups.h - the cgroups of pools and workers, in a cgroup that was delegated to this brood. */
#ifndef BROOD_SUPERVISOR_CGROUPS_H
#define BROOD_SUPERVISOR_CGROUPS_H

#include "slot.h"

/* Makes the pools' cgroups. Logs what options ask for and cannot have. */
void cgroups_begin(struct supervisor *s);
/* Fills in the pools' cgroups, for the guard. Returns how many (at most BROOD_POOLS_MAX). */
size_t cgroups_list(const struct supervisor *s, int *ret_fds);
/*
 * The cgroup in which the slot's next worker is to be born; -1: none. Returns 0 or -errno. The fd
 * goes back by cgroups_birth_done(), once the birth is asked for.
 */
int cgroups_for_birth(struct slot *slot, int *ret_fd);
void cgroups_birth_done(const struct slot *slot, int fd);
/* The slot's worker has ended: kills what is left in a cgroup of its own, and removes it. */
void cgroups_worker_ended(struct slot *slot);
/* The slot's worker died by a SIGKILL from outside. True: the kernel did it for want of memory. */
bool cgroups_was_oom(struct slot *slot);
void cgroups_again_fired(struct timer *timer, uint64_t now);
/*
 * The pools' workers have ended: kills all that their jobs have left. Returns how many pools'
 * cgroups still have processes.
 */
uint32_t cgroups_kill_left(struct supervisor *s);
void cgroups_remove(struct supervisor *s); /* removes the pools' cgroups that are empty */
void cgroups_end(struct supervisor *s);    /* gives the delegated cgroup back */

#endif
