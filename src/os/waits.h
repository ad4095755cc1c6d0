/* SPDX-License-Identifier: MIT */
/* waits.h - what a process waits for, from /proc. None of these files waits for the process. */
#ifndef BROOD_OS_WAITS_H
#define BROOD_OS_WAITS_H

#include "../base/base.h"

/*
 * Writes what the process's first thread does now: "runs", "mutex", "futex", "poll", "stopped",
 * "read of 5 (socket:[17])", "waits in the kernel (state D)". "": it cannot be known. Returns text.
 */
char *waits_look(pid_t pid, char *text, size_t size);
/*
 * Makes the text of waits_look() from what was read: the state, the line of /proc/PID/syscall ("":
 * it cannot be read), and the kernel function of /proc/PID/wchan.
 */
char *waits_tell(char state, const char *line, const char *wchan, char *text, size_t size);

#endif
