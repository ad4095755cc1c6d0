/* SPDX-License-Identifier: MIT */
/*
 * job_files.h - room at the supervisor for the files of handed-off jobs. All under brood.lock.
 *
 * The supervisor holds a job's files from JOB to the verdict, or until the job has begun (TAKEN).
 * With a tight limit on open files it has room for some hundreds (wire/job_room.h); beyond, what is
 * read from the channel would be lost. So the engine counts what it sent, and a job beyond is kept
 * here, without files: its socket pair is made when its turn comes. It has its record, so it counts
 * as given, can be cancelled, and is refused when its time to wait is over.
 *
 * A kept job goes when a thread of the library finds room. A thread that calls is one, and a
 * submitted job needs its queue's thread anyhow. A job of brood_open() or brood_give() is never
 * kept: its caller may sleep on the job's socket, and then no thread would send the job. It is
 * refused (-EAGAIN), as where the backlog is full.
 */
#ifndef BROOD_ENGINE_JOB_FILES_H
#define BROOD_ENGINE_JOB_FILES_H

#include "job_record.h"

/* Has the supervisor room for so many files more of this pool? A job has room where none is out. */
bool job_files_room(const struct brood_pool *pool, uint32_t count);
/* The same for a new job: those that are kept go first. */
bool job_files_fit(const struct brood_pool *pool, uint32_t count);
/*
 * The same for a job that is not kept. Kept jobs of queues may be passed by: their threads may be
 * elsewhere, and even be those that ask here.
 */
bool job_files_may_send(const struct brood_pool *pool, uint32_t count);
/* JOB was sent with so many files. */
void job_files_sent(struct record *record, uint32_t count);
/* The handle's job waits until there is room. until: it is refused then. */
void job_files_keep(struct brood_handle *handle, uint64_t until);
/* Files have been closed since the last call: tells who may have room now. */
void job_files_tell(struct brood *b);
/* A kept job has gone without being sent: those behind it may have room. */
void job_files_gone(struct brood *b);

#endif
