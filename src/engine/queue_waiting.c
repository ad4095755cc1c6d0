/* SPDX-License-Identifier: MIT */
/*
 * queue_waiting.c - the jobs of a queue that wait for a worker, in no ring. The first in the list
 * is the first to go.
 */
#include "queue_waiting.h"

#include "engine_root.h"
#include "queue_job.h"
#include "queue_state.h"

void queue_waiting_add(struct queue *l, struct queue_job *job, bool front)
{
	/* each attempt has its own time to wait */
	uint64_t from = front && job->tries.made > 0 ? now_ns() : job->given_ns;

	job->state = JOB_WAITING;
	job->waiting_until = time_after_ms(from, job->limits.queue_ms);
	l->waiting.due = MIN(l->waiting.count ? l->waiting.due : TIME_NEVER, job->waiting_until);
	if (front)
		list_insert(&job->link, &l->waiting.list);
	else
		list_append(&job->link, &l->waiting.list);
	job->queued_ns = job->function->est_ns;
	l->waiting.ns += job->queued_ns;
	l->waiting.count++;
}

void queue_waiting_remove(struct queue *l, struct queue_job *job)
{
	list_remove(&job->link);
	l->waiting.ns -= job->queued_ns;
	l->waiting.count--;
}

void queue_waiting_uncount(struct queue *l, struct queue_job *job)
{
	job->in_backlog = false;
	atomic_fetch_sub(&l->pool->queues_waiting, 1);
}
