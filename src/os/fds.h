/* SPDX-License-Identifier: MIT */
/* fds.h - the process's table of open files. */
#ifndef BROOD_OS_FDS_H
#define BROOD_OS_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FDS_KEEP_MAX 2048
/*
 * Closes all fds >= 3 but those in keep (any order, duplicates and fds < 3 fine; at most
 * FDS_KEEP_MAX). close_range(), else /proc/self/fd, else a loop to the limit.
 */
int fds_close_all_but(const int *keep, size_t keep_count);
/*
 * How many fds are open now: stat of /proc/self/fd (6.2), else reading it; -errno when there is no
 * /proc. Takes no fd that it would count.
 */
int fds_count(void);
int fds_cloexec(int fd, bool on);
int fds_dup_above(int fd, int min); /* F_DUPFD_CLOEXEC */
/*
 * the same file, on a number that is not 0-2; closes fd when it had to move, or could not. Negative
 * ones come back as they are. -errno
 */
int fds_above_standard(int fd);
/* /dev/null opened with flags (O_RDONLY, ...) becomes fd */
int fds_null_onto(int fd, int flags);
/* 0-2 that are closed become /dev/null, so that no socket of ours lands there */
int fds_fill_standard(void);
/*
 * RLIMIT_NOFILE: soft up to at least `need` (in this process). 0; -EMFILE when hard is lower, and
 * *ret_hard has it.
 */
int fds_raise_limit(size_t need, size_t *ret_hard);

/*
 * Which open file an fd stands for, so that ours is told from one that took its number. Sockets
 * have inode numbers of their own.
 */
struct identity {
	dev_t device;
	ino_t inode;
};
int identity_get(int fd, struct identity *ret);
bool identity_is(int fd, const struct identity *identity);
/*
 * An eventfd, epoll, timerfd ...: these have one inode for all, and no type. False: it is something
 * else now, a file of the program's, say.
 */
bool fds_is_anonymous(int fd);
/*
 * An eventfd of ours, which the program may have closed, and have opened a file that got its
 * number: adds 1, or takes what is there. False: it is none any more.
 */
bool fds_poke(int fd);
bool fds_unpoke(int fd);

#endif
