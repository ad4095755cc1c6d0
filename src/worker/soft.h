/* SPDX-License-Identifier: MIT */
/*
 * soft.h - the soft step of a job's end: the signal that a job can notice. The slot page says for
 * which job, by its sequence, the signal is meant.
 */
#ifndef BROOD_WORKER_SOFT_H
#define BROOD_WORKER_SOFT_H

#include "../os/signals.h"
#include "job.h"

/* The handler of SIGURG, by which the supervisor asks where a slow job is. */
extern const struct sigaction soft_urgent_action;
extern const struct sigaction soft_action; /* the handler of the signals that tell a job to end */
/* The sequence of the job that the soft step is meant for; SEQUENCE_NONE: no job runs. */
extern _Atomic uint64_t soft_sequence;
/* What the job that got the soft step was told: enum brood_verdict_flags. */
uint32_t soft_told(void);
void soft_close_fd(struct brood_job *job);

#endif
