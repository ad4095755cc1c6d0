/* SPDX-License-Identifier: MIT */
/* files.h - a job's fds: its socket, extra ones, and those that go back with the reply. */
#ifndef BROOD_WORKER_FILES_H
#define BROOD_WORKER_FILES_H

#include "../wire/frame.h"
#include "job.h"

void files_take_socket(struct brood_job *job, int fd, bool own_pair);
/* Gives the job a socket that the library has just made. */
void files_make_socket(struct brood_job *job, int fd);
void files_take_extra(struct brood_job *job, struct frame *f, size_t first);
void files_take_stream(struct brood_job *job, int fd); /* fd is the library's, and blocking */
/*
 * Notes the identity (os/identity.h) of each fd of the job, before the job can put another file at
 * its number; and the flags of stdout and stderr. Async-signal-safe.
 */
void files_note(void);
/*
 * Shuts the socket down and closes all fds of the job. suspect: closes those alone that still are
 * the files that came.
 */
void files_release(struct brood_job *job, bool suspect);
void files_close_extra(struct brood_job *job, bool suspect); /* closes the extra fds alone */
void files_close_back(struct brood_job *job);

/*
 * Called at birth: opens stdout and stderr anew where that is possible, so that the worker has open
 * files of its own. On shared files a job could change the flags for the engine, too.
 */
void files_open_own(void);
extern bool files_shared; /* other processes have the same open files */
/*
 * Notes the flags of stdout and stderr if other processes share these files. Called before a hook,
 * and before a job's first system call. Async-signal-safe.
 */
void files_note_flags(void);
bool files_own(int fd); /* True: this is stdout or stderr, and such a file of the worker's own. */
/* Notes the flags that the hook gave to the worker's own files: those flags stay. */
void files_note_own(void);
/*
 * Puts the flags of stdout and stderr back to what they were before the job. files: which files had
 * the numbers 0 to 2 when the worker was ready. A number that has another file now is left alone.
 * NULL: all three have the files they had.
 */
void files_put_back_flags(const struct identity *files);

#endif
