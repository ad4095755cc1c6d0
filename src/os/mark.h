/* SPDX-License-Identifier: MIT */
/*
 * mark.h - whose a process is: a mark that a worker puts on itself, and that all that its jobs
 * start inherits over fork, exec and setsid, whatever becomes of their parents.
 *
 * It is the soft limit RLIMIT_LOCKS, which Linux has ignored since 2.4.25: a number of the pool's
 * own, which nobody else has, and one of the worker's. It can be read of processes that /proc hides
 * (of another user's only with rights). A program that is not dumpable may not write its own
 * oom_score_adj, but it may set this.
 */
#ifndef BROOD_OS_MARK_H
#define BROOD_OS_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * In the supervisor, before all births: a number for this pool, inherited by fork. False: the hard
 * limit leaves no room for it.
 */
bool mark_make(void);
bool mark_is_made(void);
/* On this process. `worker`: which one it is, not 0. */
int mark_self(uint32_t worker);
/*
 * The worker's number; 0: the process has no mark of this pool; -errno as int64_t: it could not be
 * looked at.
 */
int64_t mark_of(pid_t pid);

#endif
