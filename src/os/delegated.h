/* SPDX-License-Identifier: MIT */
/*
 * delegated.h - the cgroup that the service manager has left to this process: Delegate= in a
 * systemd unit. Only such a cgroup is taken: one with the mark that systemd puts on it
 * ("user.delegate", "trusted.delegate"), or one whose owner is this user while the cgroup above is
 * somebody else's. And no other process may be in it, nor another brood.
 *
 * A cgroup with controllers for those below may have no process itself. So this process moves down
 * into DELEGATED_SUPERVISOR; it takes along all that it forks later, but for the workers.
 */
#ifndef BROOD_OS_DELEGATED_H
#define BROOD_OS_DELEGATED_H

#include "cgroup.h"
#include "../base/base.h"

#define DELEGATED_SUPERVISOR "brood-supervisor"
#define DELEGATED_POOL       "brood-pool-" /* with the pool's name: a pool's cgroup */

enum delegated_state {
	DELEGATED_NO_TREE, /* there is no version 2, or it cannot be seen */
	DELEGATED_NOT,     /* the cgroup is the service manager's own */
	DELEGATED_SHARED,  /* other processes are in it, or another brood has it */
	DELEGATED_REFUSED, /* the kernel refused a step: error */
	DELEGATED_TAKEN
};
struct delegated {
	enum delegated_state state;
	int fd;                  /* its folder; -1, unless TAKEN */
	int error;               /* REFUSED: -errno */
	char group[CGROUP_NAME]; /* its path, as in /proc/self/cgroup; "" if unknown */
};

/*
 * Takes this process's cgroup, if it is delegated, and moves this process, which has one thread,
 * into DELEGATED_SUPERVISOR. Kills what an ended predecessor has left in its pools' cgroups, and
 * removes them.
 */
void delegated_take(struct delegated *ret);
/*
 * Moves this process back, removes the cgroups that were made, and closes the fd. Waits for
 * nothing: a cgroup in which there are processes stays.
 */
void delegated_give_back(struct delegated *d);
/* Removes the pools' cgroups that are left. */
void delegated_remove_pools(const struct delegated *d);

#endif
