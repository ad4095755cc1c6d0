/* SPDX-License-Identifier: MIT */
/*
 * job_files.h - room at the supervisor for the files of handed-off jobs. All under brood.lock.
 *
 * The supervisor holds a job's files from JOB to the verdict, or until the job has begun (TAKEN).
 * With a tight limit on open files the supervisor has room for some hundreds of files
 * (wire/job_room.h); fds beyond that limit would be lost on the way. So the engine counts the files
 * that it has sent, and keeps a job that would be too much here, without files: the job's socket
 * pair is made when its turn comes. A kept job has its record, so it counts as given, can be
 * cancelled, and is refused when its time to wait is over.
 *
 * A kept job goes when a thread of the library finds room. The thread of a call is such a thread,
 * and a submitted job needs its queue's thread anyhow. A job of brood_open() or brood_give() is
 * never kept: its caller may sleep on the job's socket, and then no thread would send the job. Such
 * a job is refused (-EAGAIN), as with a full backlog.
 */
#ifndef BROOD_ENGINE_JOB_FILES_H
#define BROOD_ENGINE_JOB_FILES_H

#include "job_record.h"

/* True: the supervisor has room for `count` more files of this pool, or has no file of it now. */
bool job_files_room(const struct brood_pool *pool, uint32_t count);
/* job_files_room() for a new job: false while jobs of the pool are kept, for these go first. */
bool job_files_fit(const struct brood_pool *pool, uint32_t count);
/*
 * The same for a job that is not kept. Kept jobs of queues may be passed by: their threads may be
 * elsewhere, and even be those that ask here.
 */
bool job_files_may_send(const struct brood_pool *pool, uint32_t count);
/* JOB was sent with so many files. */
void job_files_sent(struct record *record, uint32_t count);
/* The handle's job waits until there is room. until: when the job is refused. */
void job_files_keep(struct brood_handle *handle, uint64_t until);
/* If files were closed since the last call: wakes the threads whose kept jobs may have room now. */
void job_files_tell(struct brood *b);
/* A kept job has gone without being sent: those behind it may have room. */
void job_files_gone(struct brood *b);

#endif
