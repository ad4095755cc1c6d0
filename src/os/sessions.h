/* SPDX-License-Identifier: MIT */
/* sessions.h - the processes of a session. */
#ifndef BROOD_OS_SESSIONS_H
#define BROOD_OS_SESSIONS_H

#include "proc.h"

/*
 * Walks over /proc and calls `each` for every process of this session. Returns how many there are.
 */
int sessions_each(
	pid_t session, void (*each)(void *context, const struct proc_stat *stat), void *context);
/*
 * Sends SIGKILL to every process of these sessions, by pidfd where there are pidfds. Repeats this
 * until a walk over /proc finds none, at most `rounds` times. Returns how many were killed.
 */
int sessions_kill(const pid_t *sessions, size_t count, int rounds);

#endif
