/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - reads /proc without streams and without allocation, because guard and supervisor read
 * it when memory is short. Only src/os includes this header.
 */
#ifndef BROOD_OS_PROCFS_H
#define BROOD_OS_PROCFS_H

#include "../base/base.h"

#define PROCFS_PATH 64
#define PROCFS_LINE 1024

/*
 * Writes "/proc/PID/NAME", or "/proc/self/NAME" for pid 0; cuts a NAME that is far too long.
 * Returns path.
 */
char *procfs_path(char path[PROCFS_PATH], pid_t pid, const char *name);
/* Writes "/proc/self/task/TID/NAME". Returns path. */
char *procfs_task_path(char path[PROCFS_PATH], pid_t tid, const char *name);
/*
 * False: /proc belongs to another PID namespace, because it was not mounted anew in this one. Then
 * its numbers mean other processes, and nothing it says of a pid is true. The answer is kept for
 * each process.
 */
bool procfs_has_our_pids(void);
/*
 * Reads as much of the file as fits, and puts a NUL behind it. Returns the bytes, or -errno;
 * -ESRCH: there is no such process.
 */
ssize_t procfs_read(const char *path, char *text, size_t size);
/*
 * Calls `each` for every number that the directory lists, until `each` answers non-zero. Returns 0
 * or -errno.
 */
int procfs_each(const char *path, int (*each)(void *context, int number), void *context);
/*
 * Calls `each` as procfs_each() does, for every open fd of this process but that of the walk
 * itself.
 */
int procfs_each_fd(int (*each)(void *context, int fd), void *context);
/*
 * Calls `each` for every line of the file, until `each` answers non-zero. Lines come without their
 * newline, and are cut at PROCFS_LINE - 1 bytes. Returns 0 or -errno.
 */
int procfs_each_line(const char *path, int (*each)(void *context, const char *line), void *context);
/* Skips blanks and reads a decimal number. Returns the text behind it. */
const char *procfs_number(const char *text, unsigned long long *ret_value);

#endif
