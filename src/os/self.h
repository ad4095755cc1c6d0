/* SPDX-License-Identifier: MIT */
/*
 * self.h - how many threads and files this process has, also where /proc can be reached no more:
 * after chroot() into a folder without /proc, in a mount namespace, behind a filter of system
 * calls.
 *
 * What can be kept from before is a file of /proc, opened, and not a directory: a directory would
 * lead out of the chroot.
 */
#ifndef BROOD_OS_SELF_H
#define BROOD_OS_SELF_H

/* What this process cannot tell of itself: a set. */
enum self_blind { SELF_BLIND_THREADS = 1, SELF_BLIND_FILES = 2 };

/* Before code runs that may hide /proc: opens what is needed then. */
void self_keep(void);
/*
 * After that code: closes what can be reached by its path still, and settles how the two functions
 * below count from now on. Returns a set of enum self_blind.
 */
unsigned self_settle(void);

/*
 * Threads; -EBADF: a kept file is another one now; -errno: nobody can tell. `expected`: where one
 * that was joined and is still on its way out of the kernel counts, it has a moment to go while
 * there are more than these.
 */
int self_threads(int expected);
/* Open files, or -errno. Without /proc: those with numbers below 1,024. */
int self_files(void);

#endif
