/* SPDX-License-Identifier: MIT */
/*
 * standard.h - the flags of stdout and stderr. The flags belong to the open file. So if a job set
 * O_NONBLOCK there, the engine's writes would become nonblocking and could fail.
 *
 * A worker opens pipes, terminals and files in append mode anew, and so has flags of its own. A
 * socket, or a file whose position all processes share, cannot be opened anew and stays shared. For
 * these the worker notes the flags before a job's first system call and puts them back after the
 * job. When the worker has died, the supervisor puts them back.
 *
 * Other jobs may change the flags meanwhile, and the engine may change them for good. So a flag is
 * put back only if it has changed since it was noted and differs from its value at the start.
 */
#ifndef BROOD_OS_STANDARD_H
#define BROOD_OS_STANDARD_H

#include "../base/base.h"

#define STANDARD_FILES 2 /* the two files: stdout, stderr */

struct standard {
	int start[STANDARD_FILES]; /* the flags at the start; -1: the file is not open */
	int noted[STANDARD_FILES];
	bool own[STANDARD_FILES]; /* true: no other process shares the file */
	/* True: the file is a pipe that this process alone was given at its birth. */
	bool given[STANDARD_FILES];
	/* True: standard_choose() found that the file cannot be opened anew. */
	bool never_own[STANDARD_FILES];
	bool is_noted;
};

void standard_look(struct standard *s); /* reads the flags, at the start or now */
/* Called in the spawner: looks once which files each worker would try to open anew in vain. */
void standard_choose(struct standard *s);
/* Puts the pipe at stderr's number, and closes `fd`. Nobody else has the flags of a new pipe. */
int standard_give_stderr(struct standard *s, int fd);
void standard_open_own(struct standard *s); /* called in a worker: opens the files anew */
bool standard_is_shared(const struct standard *s);
void standard_note(struct standard *s); /* notes the flags of shared files; async-signal-safe */
/* Notes the flags of the worker's own files, as worker_init left them. */
void standard_note_own(struct standard *s);
/* Puts back the flags of one file: 0: stdout, 1: stderr. */
void standard_put_back(const struct standard *s, int file);
/* Puts back the flags of one file in the supervisor, which has the same open file. */
void standard_put_back_shared(int file, int start, int noted);

#endif
