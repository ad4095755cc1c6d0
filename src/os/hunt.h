/* SPDX-License-Identifier: MIT */
/*
 * hunt.h - ends processes that fork faster than they are killed, in whatever session or group they
 * are. First the hunt freezes all with SIGSTOP, in walks over all processes, until a walk meets few
 * new ones. A stopped process cannot fork, and it still counts where a limit bounds the number of
 * processes. Then the hunt kills all of them and walks once more. If it meets a new one, it begins
 * again. A process with a pending signal does not fork: the kernel checks for signals under the
 * lock that makes a child visible.
 *
 * Killed processes are zombies for a while. The hunt does not reap them.
 */
#ifndef BROOD_OS_HUNT_H
#define BROOD_OS_HUNT_H

#include "../base/base.h"

typedef bool hunt_prey_fn(void *context, pid_t pid);
/*
 * killed: how many processes were killed. refused: how many may not be signalled. over: the last
 * walk met no new process; false: the time was up.
 */
struct hunt {
	int killed, refused;
	bool over;
};
/*
 * prey: answers whether a process is to be killed; never asked for the caller itself. until_ns: no
 * further round begins after this time. Allocates no memory.
 */
struct hunt hunt(hunt_prey_fn *prey, void *context, uint64_t until_ns);

#endif
