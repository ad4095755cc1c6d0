/* SPDX-License-Identifier: MIT */
/* verdict.h - ends a job with what the engine is to hear. */
#ifndef BROOD_SUPERVISOR_VERDICT_H
#define BROOD_SUPERVISOR_VERDICT_H

#include "record.h"

/* Ends the job. job->verdict has outcome and detail: fills in the rest, and tells the engine. */
void verdict_give(struct job *job);
/* Fills in what the outcome does not say: id, name, times, attempts, and the job's worker. */
void verdict_fill(struct job *job);
/* Refuses a job, or a request for a lease. */
void verdict_refuse(struct job *job, enum brood_detail detail);
/* Refuses all jobs and requests that wait in the queue. */
void verdict_refuse_all(struct pool *pool, enum brood_detail detail);

#endif
