/* SPDX-License-Identifier: MIT */
/* cancelling.h - ends a job of a queue before its end. All under the queue's lock. */
#ifndef BROOD_ENGINE_CANCELLING_H
#define BROOD_ENGINE_CANCELLING_H

#include "queue.h"

/* True: the job has no verdict yet, and is known to its owner. */
static inline bool cancelling_may(const struct queue_job *job)
{
	return job->state != JOB_CLOSED && job->state != JOB_NEW;
}
/* Ends a job that waits; one that runs is told to end. */
void cancelling_job(struct queue *l, struct queue_job *job);
/* Does the wishes (a bit for each: wishes.h) as far as this queue has the jobs, and answers. */
void cancelling_wishes(struct queue *l, uint32_t wishes);

#endif
