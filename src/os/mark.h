/* SPDX-License-Identifier: MIT */
/*
 * mark.h - a mark that says to which worker a process belongs. A worker puts the mark on itself.
 * All processes that its jobs start inherit it over fork, exec and setsid, whatever becomes of
 * their parents.
 *
 * The mark is the soft limit RLIMIT_LOCKS, which Linux has ignored since 2.4.25. It holds a number
 * that only this pool has, and the worker's number. It can be read even of processes that /proc
 * hides (of another user's processes only with rights). A program that is not dumpable may not
 * write its own oom_score_adj, but it may set this limit.
 */
#ifndef BROOD_OS_MARK_H
#define BROOD_OS_MARK_H

#include "../base/base.h"

/*
 * In the supervisor, before all births: chooses a number for this pool, which fork inherits. False:
 * the hard limit leaves no room for it.
 */
bool mark_make(void);
bool mark_is_made(void);
/* Marks this process. `worker`: the worker's number, not 0. */
int mark_self(uint32_t worker);
/*
 * Returns the worker's number; 0: the process has no mark of this pool; -errno: the limit could not
 * be read.
 */
int64_t mark_of(pid_t pid);

#endif
