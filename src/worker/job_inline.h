/* SPDX-License-Identifier: MIT */
/* job_inline.h - for inline mode (src/inline): a job without a worker. The job sees the same. */
#ifndef BROOD_WORKER_JOB_INLINE_H
#define BROOD_WORKER_JOB_INLINE_H

#include "job.h"

/* Returns what fn returned. fd is closed, unless the job took it over. */
int job_inline_run(brood_fn *fn, const struct job_inline *job, bool *ret_took_fd);

#endif
