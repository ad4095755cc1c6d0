/* SPDX-License-Identifier: MIT */
/*
 * pids.h - every process that there is, also where /proc does not show all of them (hidepid=2,
 * another PID namespace's /proc, none at all): then all numbers are tried, which takes some tenths
 * of a second where pid_max is 4 million. Without /proc only those since pids_begin() are tried,
 * until the numbers are seen to begin again at the bottom.
 *
 * A walk is no snapshot: who is listed may fork and be gone when it is looked at, and the child is
 * not listed any more. But /proc/loadavg tells the pid that was given out last, so after the walk
 * the processes born since it began are looked at one by one, until no more have come. If none was
 * met then that could fork, there is none: whoever lives was there when the walk began, or was born
 * since. (When the pids began again at the bottom meanwhile, it all does not count.)
 */
#ifndef BROOD_OS_PIDS_H
#define BROOD_OS_PIDS_H

#include <stdbool.h>
#include <sys/types.h>

typedef int pids_each_fn(void *context, int pid, int walk_fd);
struct pids_walk {
	bool complete;
	int error;
}; /* error: 0 or -errno */
/*
 * Calls `each`, which answers 0, for each pid; where all numbers are tried also for those of
 * nobody.
 */
void pids_begin(void); /* nobody who was born before this process is looked for */
struct pids_walk pids_walk(pids_each_fn *each, void *context);
/* /proc does not show all processes of this PID namespace to this process. */
bool pids_hidden(void);

#endif
