/* SPDX-License-Identifier: MIT */
/* queue_jobs.h - the jobs of a queue: made, closed, given back. All under the queue's lock. */
#ifndef BROOD_ENGINE_QUEUE_JOBS_H
#define BROOD_ENGINE_QUEUE_JOBS_H

#include "queue.h"

#include "../wire/message.h"

struct given;

/* The job is in the ring no more: it has a completion, or was withdrawn. */
void queue_jobs_unring(struct queue_job *job);
/* Gives the job another id, before anybody knows the first one. */
void queue_jobs_renumber(struct queue *l, struct queue_job *job);
/* Makes a NEW job, which has no copy of anything yet. -EAGAIN: the queue is full. */
int queue_jobs_new(
	struct queue *l, const struct given *order, bool submitted, struct queue_job **ret);
/* Closes the fds and frees the struct. Returns NULL. */
struct queue_fds *queue_jobs_fds_free(struct queue_fds *fds);
/* Frees the job and its id. */
void queue_jobs_free(struct queue *l, struct queue_job *job);
/* The job's tag, of a submitted job or of one that is in no ring; else, and without a tag, "". */
static inline const char *queue_jobs_tag(const struct queue_job *job)
{
	if (job->tell.tag)
		return job->tell.tag;
	return job->bytes && job->tell.tag_size
		? (const char *)job->bytes + job->arg_size - job->tell.tag_size
		: "";
}
struct queue_job *queue_jobs_find(struct queue *l, uint64_t id);

/* A closed job's result goes to the threads that deliver. */
void queue_jobs_result(struct queue *l, struct queue_job *job);
/* Gives the job its verdict: its result goes to the queue's results, the handle or the caller. */
void queue_jobs_close(struct queue *l, struct queue_job *job, const struct brood_verdict *verdict);
void queue_jobs_refuse(struct queue *l, struct queue_job *job, enum brood_detail detail);
/*
 * True: the options, the state of the queue and the cap on retries allow a retry after this
 * verdict. If only the cap forbids the retry, the verdict says so. Takes brood.lock.
 */
bool queue_jobs_may_retry(
	struct queue *l, const struct queue_job *job, struct brood_verdict *verdict);
/* Begins the retry, which is allowed. The job is in no ring. */
void queue_jobs_retry(struct queue *l, struct queue_job *job, const struct brood_verdict *v);
/* The job has new progress messages: wakes a thread that will tell them. */
void queue_jobs_progress_came(struct queue *l, struct queue_job *job);
/* Keeps the progress for the thread that is to tell it. Drops it when there is too much. */
void queue_jobs_progress(struct queue *l, struct queue_job *job, const struct message_progress *m);

#endif
