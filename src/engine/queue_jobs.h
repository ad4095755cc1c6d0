/* SPDX-License-Identifier: MIT */
/* queue_jobs.h - the jobs of a queue: made, closed, given back. All under the queue's lock. */
#ifndef BROOD_ENGINE_QUEUE_JOBS_H
#define BROOD_ENGINE_QUEUE_JOBS_H

#include "queue.h"

#include "../wire/message.h"

struct given;

/* The job is in the ring no more: it has a completion, or was taken out. */
void queue_jobs_unring(struct queue_job *job);
/* another id, before anybody knows the first one */
void queue_jobs_renumber(struct queue *l, struct queue_job *job);
/* a job with its own copy of nothing yet: NEW. -EAGAIN: full */
int queue_jobs_new(
	struct queue *l, const struct given *order, bool submitted, struct queue_job **ret);
/* closes the fds and frees the struct. Returns NULL */
struct queue_fds *queue_jobs_fds_free(struct queue_fds *fds);
/* gives back its id and itself */
void queue_jobs_free(struct queue *l, struct queue_job *job);
struct queue_job *queue_jobs_find(struct queue *l, uint64_t id);

/* closed: to those that deliver */
void queue_jobs_result(struct queue *l, struct queue_job *job);
/* OPEN to CLOSED: to the results, the handle or the caller */
void queue_jobs_close(struct queue *l, struct queue_job *job, const struct brood_verdict *verdict);
void queue_jobs_refuse(struct queue *l, struct queue_job *job, enum brood_detail detail);
/* do its options, and the state of all, allow a retry after this? */
bool queue_jobs_may_retry(
	const struct queue *l, const struct queue_job *job, const struct brood_verdict *v);
/* the retry, if they do: it is begun, and the job is in no ring */
bool queue_jobs_retry(struct queue *l, struct queue_job *job, const struct brood_verdict *v);
/* some was put into job.progress */
void queue_jobs_progress_came(struct queue *l, struct queue_job *job);
/* keeps it for whoever is to tell; dropped when there are too many */
void queue_jobs_progress(struct queue *l, struct queue_job *job, const struct message_progress *m);

#endif
