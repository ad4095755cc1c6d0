/* SPDX-License-Identifier: MIT */
/*
 * self.h - counts this process's threads and open files, even when /proc is out of reach: after
 * chroot() into a folder without /proc, in a mount namespace, or behind a filter of system calls.
 *
 * For this the process keeps an open file of /proc, and not a directory: a directory would lead out
 * of the chroot.
 */
#ifndef BROOD_OS_SELF_H
#define BROOD_OS_SELF_H

/* What this process cannot count of itself, as a set: its threads, its open files. */
enum self_blind { SELF_BLIND_THREADS = 1, SELF_BLIND_FILES = 2 };

/* Call it before code that may hide /proc: opens and keeps the files of /proc to count with. */
void self_keep(void);
/*
 * Call it after the code that may hide /proc: closes the kept files of /proc that a path still
 * leads to, and decides how self_threads() and self_files() count from now on. Returns a set of
 * enum self_blind.
 */
unsigned self_settle(void);

/*
 * Returns how many threads there are; -EBADF: a kept file was closed or replaced; -errno: nothing
 * can tell. A thread that was joined may still be counted until it has left the kernel. So while
 * there are more than `expected`, the function waits for a moment.
 */
int self_threads(int expected);
/* Returns how many files are open, or -errno. Without /proc it counts only numbers below 1,024. */
int self_files(void);

#endif
