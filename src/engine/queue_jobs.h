/* SPDX-License-Identifier: MIT */
/* queue_jobs.h - the jobs of a queue: made, numbered, given back. All under the queue's lock. */
#ifndef BROOD_ENGINE_QUEUE_JOBS_H
#define BROOD_ENGINE_QUEUE_JOBS_H

#include "queue.h"
#include "queue_job.h"

struct given;
struct queue;
struct queue_fds;
struct queue_job;

#define FUNCTIONS_SIZE 256

/* from there */
void queue_jobs_unqueue(struct queue *l, struct queue_job *job);
/* it waits no more: counted off */
void queue_jobs_out_of_backlog(struct queue *l, struct queue_job *job);
/* another id, before anybody knows the first one */
void queue_jobs_renumber(struct queue *l, struct queue_job *job);
/* a job with its own copy of nothing yet: NEW. -EAGAIN: full */
int queue_jobs_new(struct queue *l, const struct given *order, struct queue_job **ret);
/* closes the fds and frees the struct. Returns NULL */
struct queue_fds *queue_jobs_fds_free(struct queue_fds *fds);
/* gives back its id and itself */
void queue_jobs_free(struct queue *l, struct queue_job *job);
struct queue_job *queue_jobs_find(struct queue *l, uint64_t id);
/* to queue.queue */
void queue_jobs_wait(struct queue *l, struct queue_job *job, bool front);

#endif
