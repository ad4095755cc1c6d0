/* SPDX-License-Identifier: MIT */
/*
 * soft.h - the soft step of a job's end: the signal that a job can notice. The sequence of the job
 * that runs decides whether it is meant for this job; SEQUENCE_NONE: none runs.
 */
#ifndef BROOD_WORKER_SOFT_H
#define BROOD_WORKER_SOFT_H

#include "job.h"

/* The handlers. 0 or -errno. */
int soft_prepare(const struct brood_options *options);
/* after worker_init: SIGTERM is ours whatever it did */
void soft_ready(void);
/* In a child that a job forked: gives it the default dispositions. Async-signal-safe. */
void soft_forget(void);

/* Of the job that the soft step is meant for; SEQUENCE_NONE: none runs. */
extern _Atomic uint64_t soft_sequence;
/* What a job was told to which the soft step came: enum brood_verdict_flags */
uint32_t soft_told(void);
void soft_close_fd(struct brood_job *job);

#endif
