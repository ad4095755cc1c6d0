/* SPDX-License-Identifier: MIT */
/*
 * stale.h - file descriptors that the program had open at the start. Workers do not have these
 * files, but memory in workers still holds their numbers.
 *
 * The C library's log socket, a FILE, or a database connection may hold such a number. If the
 * number were free, the next file of a job would get it, and log lines would go into that file. So
 * a stand-in keeps the number: a descriptor that refuses all reading and writing, at once.
 *
 *   for a socket        an unconnected SEQPACKET socket that is shut down: ENOTCONN (EPIPE if a
 *                       job connects it), no SIGPIPE
 *   for any other file  O_PATH of an empty, sealed file: EBADF
 *
 * The supervisor puts the stand-ins in place once, and workers inherit them. There is one
 * exception. If the process has an fcntl lock on a file, any close() of this file in the supervisor
 * would end the lock. So the file stays open in the supervisor, and each worker puts the stand-in
 * in place itself.
 *
 * Numbers from 1,024 on have no stand-in, because each would make births slower. Numbers at or
 * above the soft RLIMIT_NOFILE have none, because no new file can get them.
 */
#ifndef BROOD_OS_STALE_H
#define BROOD_OS_STALE_H

#include "../base/base.h"

#define STALE_NUMBERS 1024

struct stale_file {
	int fd;
	bool socket;
	bool locked; /* the file stays open in the supervisor */
	bool stands; /* workers have a stand-in for the file */
};

struct stale {
	struct stale_file *files; /* an array, sorted by number */
	size_t count;
	/* how many of the files have a stand-in, and how many are locked */
	size_t standing, locked;
	/*
	 * How many have a number below 1,024 and no stand-in, since RLIMIT_NOFILE is too low to
	 * give each of them one and leave room for the files of workers.
	 */
	size_t crowded;
	/* How many have a number from 1,024 up to the soft RLIMIT_NOFILE: they get no stand-in. */
	size_t high;
	/* The stand-ins are copies of these two. -1: not needed. */
	int refusing_file, refusing_socket;
};

/*
 * Notes all open files, before the library opens any, and opens the two originals of the stand-ins.
 * keep: fds that stay open everywhere. Returns 0, or -errno without anything to undo. -E2BIG: too
 * many files have fcntl locks.
 */
int stale_survey(struct stale *ret, const int *keep, size_t keep_count);
/* Closes the originals of the stand-ins. Also valid for a zeroed struct. */
void stale_free(struct stale *s);
/* How many files at most are open in the supervisor for stand-ins and locked files. */
static inline size_t stale_open(const struct stale *s)
{
	return s->standing + s->locked > 0 ? s->standing + s->locked + 2 : 0;
}

/*
 * In the supervisor, after its soft RLIMIT_NOFILE was raised: puts the stand-ins in place, and so
 * closes the files that do not stay.
 */
void stale_take_places(struct stale *s);
/*
 * Appends the fds that the supervisor must not close to `keep`, which has room for stale_open()
 * fds.
 */
size_t stale_keep_in_supervisor(const struct stale *s, int *keep);
size_t stale_keep_in_worker(const struct stale *s, int *keep);
/* In a worker: puts in place the stand-ins of locked files. */
void stale_take_locked(struct stale *s);
/* In a worker: returns how many stand-ins were closed since the last call. */
size_t stale_closed(struct stale *s);

#endif
