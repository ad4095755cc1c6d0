/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - reading /proc without stdio and without allocation: the guard and the supervisor do it
 * when memory is short. For src/os alone.
 */
#ifndef BROOD_OS_PROCFS_H
#define BROOD_OS_PROCFS_H

#include <stdbool.h>
#include <sys/types.h>

#define PROCFS_PATH 64

/* "/proc/PID/NAME", "/proc/self/NAME" for pid 0; cut when NAME is absurdly long. Returns path. */
char *procfs_path(char path[PROCFS_PATH], pid_t pid, const char *name);
/* "/proc/self/task/TID/NAME". */
char *procfs_task_path(char path[PROCFS_PATH], pid_t tid, const char *name);
/*
 * In a PID namespace whose /proc was not mounted anew, /proc lists somebody else's numbers: then
 * nothing that it says of pids may be believed. Asked once a process.
 */
bool procfs_has_our_pids(void);
/*
 * What the file says, as far as it fits, with a NUL behind it. Bytes, or -errno; -ESRCH: there is
 * no such process.
 */
ssize_t procfs_read(const char *path, char *text, size_t size);
/*
 * Calls `each` for all numbers that the directory lists, until it answers non-zero. walk_fd: the fd
 * that the walk itself holds. 0 or -errno.
 */
int procfs_each(
	const char *path, int (*each)(void *context, int number, int walk_fd), void *context);
/* Skips blanks and reads a decimal number. Returns what follows it. */
const char *procfs_number(const char *text, unsigned long long *ret_value);

#endif
