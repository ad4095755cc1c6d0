/* SPDX-License-Identifier: MIT */
/*
 * standard.h - the flags of stdout and stderr. They are the open file's, so a job that sets
 * O_NONBLOCK would set it for the engine, too, whose writes then fail.
 *
 * A worker opens pipes, terminals and files in append mode anew, and has flags of its own there.
 * What cannot be opened anew (a socket, a file with a position that all share) stays shared: then
 * the flags are noted before a job's first system call and put back after it, by the worker, or by
 * the supervisor when the worker has died.
 *
 * Other jobs may change the flags meanwhile, and so may the engine, for good. So a flag is put back
 * only where it was changed since it was noted, and away from what it was at the start.
 */
#ifndef BROOD_OS_STANDARD_H
#define BROOD_OS_STANDARD_H

#include <stdbool.h>

#define STANDARD_FILES 2 /* stdout, stderr */

struct standard {
	int start[STANDARD_FILES]; /* the flags at the start; -1: not open */
	int noted[STANDARD_FILES];
	bool own[STANDARD_FILES]; /* shared with nobody */
	bool is_noted;
};

void standard_look(struct standard *s);     /* at the start, or as it is now */
void standard_open_own(struct standard *s); /* in a worker */
bool standard_is_shared(const struct standard *s);
void standard_note(struct standard *s);     /* of those that are shared. Async-signal-safe */
void standard_note_own(struct standard *s); /* what the hook made of those that are not */
/* Of one: 0: stdout, 1: stderr. */
void standard_put_back(const struct standard *s, int file);
/* The same, by the supervisor, which shares it. */
void standard_put_back_shared(int file, int start, int noted);

#endif
