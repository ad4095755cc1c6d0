/* SPDX-License-Identifier: MIT */
/*
 * job_inline.h - for inline mode (src/inline): runs a job in the calling process, without a worker.
 * The job's calls work as in a worker.
 */
#ifndef BROOD_WORKER_JOB_INLINE_H
#define BROOD_WORKER_JOB_INLINE_H

#include "job.h"

/* Runs the job and returns what fn returned. Closes the job's fd, unless the job took it over. */
int job_inline_run(brood_fn *fn, const struct job_inline *job, bool *ret_took_fd);

#endif
