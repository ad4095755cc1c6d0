/* SPDX-License-Identifier: MIT */
/* sessions.h - kills the processes of a session. */
#ifndef BROOD_OS_SESSIONS_H
#define BROOD_OS_SESSIONS_H

#include "../base/base.h"

/*
 * Sends SIGKILL to every process of these sessions, by pidfd where there are pidfds. Repeats this
 * until a walk over /proc finds none, at most `rounds` times. Returns how many were killed.
 */
int sessions_kill(const pid_t *sessions, size_t count, int rounds);

#endif
