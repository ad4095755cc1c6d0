/* SPDX-License-Identifier: MIT */
/*
 * queue_waiting.c - the jobs of a queue that wait for a worker, in no ring. The first of its rank
 * is the first to go. A retry may have a pause before it waits.
 */
#include "queue_waiting.h"

#include "engine_root.h"
#include "queue_job.h"
#include "queue_state.h"

/* The job waits for its pause. The next thread that looks at the queue sets the timer. */
static void pause_job(struct queue *l, struct queue_job *job)
{
	job->tries.pause = false;
	job->state = JOB_PAUSED;
	job->waiting_until = time_after_ms(now_ns(), job->tries.pause_ms);
	l->waiting.paused_due = MIN(l->waiting.paused_due, job->waiting_until);
	list_append(&job->link, &l->waiting.paused);
	l->waiting.paused_count++;
	l->timer.fired = true;
}

void queue_waiting_unpause(struct queue *l, struct queue_job *job)
{
	list_remove(&job->link);
	if (--l->waiting.paused_count == 0)
		l->waiting.paused_due = TIME_NEVER;
	job->state = JOB_NEW;
}

void queue_waiting_add(struct queue *l, struct queue_job *job, bool front)
{
	/* Each attempt has its own time to wait. */
	uint64_t from = front && job->tries.made > 0 ? now_ns() : job->given_ns;

	if (job->tries.pause) {
		pause_job(l, job);
		return;
	}
	job->state = JOB_WAITING;
	job->waiting_until = time_after_ms(from, job->limits.queue_ms);
	l->waiting.due = MIN(l->waiting.count ? l->waiting.due : TIME_NEVER, job->waiting_until);
	rank_add(&l->waiting.ranks, &job->link, job->limits.background, front);
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
