/* SPDX-License-Identifier: MIT */
/*
 * hunt.h - ending processes that fork faster than they are killed, whatever session and group they
 * are in. First all are frozen (SIGSTOP), walk by walk until a walk meets few new ones: what is
 * stopped keeps its place where a limit bounds their number, and cannot fork. Then all are killed;
 * then one more walk, and all again, should a new one have been met. A process with a signal
 * pending does not fork: the kernel looks for that under the lock that makes a child visible.
 *
 * Killed processes are zombies for a while, and of whom is not our business here.
 */
#ifndef BROOD_OS_HUNT_H
#define BROOD_OS_HUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef bool hunt_prey_fn(void *context, pid_t pid);
/*
 * killed: how many were. refused: may not be signalled. over: the last walk met no new one; else
 * the time was up.
 */
struct hunt {
	int killed, refused;
	bool over;
};
/*
 * prey: is this one to be killed? Never asked for ourselves. until_ns: no other round begins then.
 * Takes no memory.
 */
struct hunt hunt(hunt_prey_fn *prey, void *context, uint64_t until_ns);

#endif
