/* SPDX-License-Identifier: MIT */
/*
 * copies.h - the supervisor's copies of the files of handed-off jobs.
 *
 * The supervisor has a job's files open from JOB to the verdict, for the worker may die before the
 * job begins. The engine gives no more jobs than the supervisor has room for files
 * (engine/job_files.h). When half of that room is used, the files of jobs that have begun are
 * closed: their workers have them, and no other attempt needs them. So as many jobs may run as
 * there are workers, however few files may wait.
 */
#ifndef BROOD_SUPERVISOR_COPIES_H
#define BROOD_SUPERVISOR_COPIES_H

#include "record.h"

void copies_prepare(struct pool *pool);
/* Files of one more job are here: those of jobs that run already may be in their way. */
void copies_come(struct pool *pool);
/* A worker was sent this job. */
void copies_assigned(struct job *job);

#endif
