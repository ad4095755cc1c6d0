/* SPDX-License-Identifier: MIT */
/* children.h - the children of this process, and the reaping of those without an owner. */
#ifndef BROOD_OS_CHILDREN_H
#define BROOD_OS_CHILDREN_H

#include "../base/base.h"

#define CHILDREN_MAX 16384 /* so many children are looked at once at most */
/*
 * Lists the pids of this process's children, by /proc/self/task/TID/children, else by a walk.
 * Returns how many (at most max).
 */
int children_list(pid_t *pids, size_t max);

/*
 * Reaps one ended child and returns its pid; 0: there is none; -ECHILD: there are no children.
 * `known` claims children that have a pidfd and an owner: these are left alone.
 */
pid_t children_reap_stray(bool (*known)(void *context, pid_t pid), void *context);

#endif
