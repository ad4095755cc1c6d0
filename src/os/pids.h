/* SPDX-License-Identifier: MIT */
/*
 * pids.h - walks over every process, even where /proc does not show all of them (hidepid=2, another
 * PID namespace's /proc, no /proc). Such a walk tries all numbers as pids, which takes some tenths
 * of a second where pid_max is 4 million. Without /proc a walk tries only the numbers given out
 * since pids_begin(), until it sees that the numbers have begun again at the bottom.
 *
 * A walk is no snapshot: a listed process may fork and end before the walk looks at it, and its
 * child was not in the list yet. But /proc/loadavg tells the pid that was given out last. So after
 * the list, the walk looks one by one at the processes born since it began, until no more have
 * come. If the walk met no process that could fork, none is left: every living process was there
 * when the walk began or was born since. (This does not hold when the pids began again at the
 * bottom meanwhile.)
 */
#ifndef BROOD_OS_PIDS_H
#define BROOD_OS_PIDS_H

#include "../base/base.h"

typedef int pids_each_fn(void *context, int pid);
struct pids_walk {
	bool complete; /* true: no process was missed */
	int error;     /* 0 or -errno */
};
/* From now on, a walk without /proc leaves out the numbers given out before the caller's own. */
void pids_begin(void);
/*
 * Calls `each` for every pid, as long as it answers 0. Where all numbers are tried, `each` also
 * gets numbers without a process.
 */
struct pids_walk pids_walk(pids_each_fn *each, void *context);
/* True: /proc hides processes of this PID namespace from this process. */
bool pids_hidden(void);

#endif
