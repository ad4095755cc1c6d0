/* SPDX-License-Identifier: MIT */
/*
 * job_verdict.h - closes a job of a queue: its one verdict, to the results, the handle or the
 * caller. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_JOB_VERDICT_H
#define BROOD_ENGINE_JOB_VERDICT_H

#include "../wire/message.h"
#include <stdbool.h>

struct queue;
struct queue_job;

/* closed: to those that deliver */
void job_verdict_result(struct queue *l, struct queue_job *job);
/* OPEN to CLOSED: to the results, the handle or the caller */
void job_verdict_give(struct queue *l, struct queue_job *job, const struct brood_verdict *verdict);
void job_verdict_refuse(struct queue *l, struct queue_job *job, enum brood_detail detail);
/* a retry that its options allow */
bool job_verdict_retry(struct queue *l, struct queue_job *job, const struct brood_verdict *v);
/* some was put into job.progress */
void job_verdict_progress_came(struct queue *l, struct queue_job *job);
/* keeps it for whoever is to tell; dropped when there are too many */
void job_verdict_progress(struct queue *l, struct queue_job *job, const struct message_progress *m);

#endif
