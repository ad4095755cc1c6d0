/* SPDX-License-Identifier: MIT */
/*
 * stale.h - descriptors that the program had open at the start, and whose numbers live on in
 * workers.
 *
 * A worker does not have these files, but libraries in its memory still know the numbers: the C
 * library's log socket, a FILE, a database connection. If such a number were free, the next file of
 * a job or of the library would get it, and what a library means for its log would go there. So a
 * stand-in keeps the number: a descriptor that refuses all reading and writing, at once.
 *
 *   what was a socket   an unconnected SEQPACKET socket that is shut down: ENOTCONN (EPIPE if
 *                       somebody connects it), no SIGPIPE
 *   anything else       O_PATH of an empty, sealed file: EBADF
 *
 * The stand-ins are put in place once, in the supervisor; workers inherit them. A file on which
 * this process has an fcntl lock cannot be closed there without losing the lock (the lock belongs
 * to the process, and any close of that file ends it): it stays open in the supervisor, and each
 * worker puts the stand-in in its place itself.
 *
 * Numbers from 1,024 on, and those at or above the soft RLIMIT_NOFILE, have none: the first for the
 * cost of a birth, the second because no new file can get them.
 */
#ifndef BROOD_OS_STALE_H
#define BROOD_OS_STALE_H

#include <stdbool.h>
#include <stddef.h>

#define STALE_NUMBERS 1024

struct stale_file {
	int fd;
	bool socket;
	bool locked; /* stays open in the supervisor */
	bool stands; /* workers have a stand-in */
};

struct stale {
	struct stale_file *files; /* by number */
	size_t count;
	size_t standing, locked; /* how many of them */
	/* have a number below 1,024 and no stand-in: workers need room */
	size_t crowded;
	/* have a number from 1,024 on that a worker's file may get */
	size_t high;
	int refusing_file, refusing_socket; /* what the stand-ins are copies of; -1: not needed */
};

/*
 * Looks at what is open now, before the library opens anything, and opens the two originals. keep:
 * stays open everywhere. 0, or -errno with nothing to take back: -E2BIG: more files with fcntl
 * locks than can be kept.
 */
int stale_survey(struct stale *ret, const int *keep, size_t keep_count);
void stale_free(struct stale *s);                      /* closes the originals. For zeroes, too */
static inline size_t stale_open(const struct stale *s) /* at most so many in the supervisor */
{
	return s->standing + s->locked > 0 ? s->standing + s->locked + 2 : 0;
}

/* In the supervisor, after its soft RLIMIT_NOFILE was raised. Closes the files that do not stay. */
void stale_take_places(struct stale *s);
/* The numbers that a process does not close: appended to keep, which has room for stale_open(). */
size_t stale_keep_in_supervisor(const struct stale *s, int *keep);
size_t stale_keep_in_worker(const struct stale *s, int *keep);
/* In a worker: those that the supervisor could not. */
void stale_take_locked(struct stale *s);
/* In a worker: how many stand-ins were closed since the last call. */
size_t stale_closed(struct stale *s);

#endif
