/* SPDX-License-Identifier: MIT */
/*
 * copies.h - the supervisor's copies of the files of handed-off jobs.
 *
 * A job has its files here from JOB to its verdict, for its worker may die before it begins. The
 * engine gives no more jobs than files have room here (engine/job_files.h). Where half of that room
 * is used, the files of jobs that have begun are closed: their workers have them, and no other
 * attempt needs them. So as many jobs may run as there are workers, however few files may wait.
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
