/* SPDX-License-Identifier: MIT */
/* fds.h - the process's table of open files. */
#ifndef BROOD_OS_FDS_H
#define BROOD_OS_FDS_H

#include "identity.h"

#define FDS_KEEP_MAX 2048
/*
 * Closes all fds from 3 on, except those in `keep`. keep may have any order, duplicates, and fds
 * below 3; at most FDS_KEEP_MAX. Uses close_range(), else /proc/self/fd, else a loop up to the
 * limit.
 */
int fds_close_all_but(const int *keep, size_t keep_count);
/* Closes two fds, by one system call if their numbers are neighbours. -1: there is none. */
void fds_close_pair(int a, int b);
/*
 * Returns how many fds are open, or -errno where there is no /proc. Uses stat() of /proc/self/fd
 * (Linux 6.2), else reads it. Does not count an fd of its own.
 */
int fds_count(void);
int fds_cloexec(int fd, bool on);
int fds_dup_above(int fd, int min); /* duplicates by F_DUPFD_CLOEXEC */
/*
 * Returns the same file on a number that is not 0-2, or -errno. Closes fd when the file had to
 * move, and when it could not. A negative fd is returned as it is.
 */
int fds_above_standard(int fd);
/* Opens /dev/null with flags (O_RDONLY, ...) as fd. */
int fds_null_onto(int fd, int flags);
/*
 * Opens /dev/null on those of 0-2 that are closed, so that no socket of the library gets such a
 * number.
 */
int fds_fill_standard(void);
/*
 * Raises this process's soft RLIMIT_NOFILE to at least `need`. Returns 0, or -EMFILE when the hard
 * limit is lower; then *ret_hard is the hard limit.
 */
int fds_raise_limit(size_t need, size_t *ret_hard);

/*
 * True for an eventfd, epoll, timerfd and the like: all of them share one inode, which has no type.
 * False: the fd is another file now, perhaps one of the program's.
 */
bool fds_is_anonymous(int fd);
/*
 * Adds 1 to an eventfd of the library, or takes its count. The program may have closed the eventfd
 * and got its number for another file. False: the fd is no eventfd any more.
 */
bool fds_poke(int fd);
bool fds_unpoke(int fd);

#endif
