/* SPDX-License-Identifier: MIT */
/*
 * waiting.c - the queue of jobs and of requests for leases. A job that its worker did not begin, or
 * that was killed from outside, comes back to the front.
 */
#include "waiting.h"
#include "pool.h"
#include "verdict.h"
#include "../pool/fate.h"

/* workers may die under a job that has not started so often; then it is crashed */
#define REDISPATCH_MAX 16u

static void queue_time_up(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct job *job = container_of(timer, struct job, queue_timer);
	struct supervisor *s = container_of(loop, struct supervisor, loop);

	(void)now;
	verdict_refuse(s, job, BROOD_DETAIL_QUEUE_TIME);
}

static void enqueue(struct supervisor *s, struct job *job, bool front)
{
	uint64_t now = now_ns();

	records_queue(&s->records, &job->link, front);
	job->queue_timer.on = queue_time_up;
	note(s, NOTE_QUEUE | NOTE_GAUGES);
	if (s->halt.phase == HALT_DRAIN)
		note(s, NOTE_BIRTH); /* births go on while something is queued */
	/*
	 * Each attempt has its own time to wait: that it ran for long was no waiting. How many
	 * there are is bounded.
	 */
	timer_set(&s->loop, &job->queue_timer,
		time_after_ms(
			front ? now : MIN(job->message.given_ns, now), job->message.queue_ms));
}

void waiting_enter(struct supervisor *s, struct job *job)
{
	if (pool_hopeless(s))
		verdict_refuse(s, job, BROOD_DETAIL_DEGRADED);
	else
		enqueue(s, job, false);
}

static void again(struct supervisor *s, struct job *job)
{
	slot_cut_job(job->slot);
	if (pool_hopeless(s))
		verdict_refuse(s, job, BROOD_DETAIL_DEGRADED);
	else if (s->halt.phase >= HALT_CANCEL)
		verdict_refuse(s, job, BROOD_DETAIL_DRAINING);
	else
		enqueue(s, job, true);
}

static bool cancel_wished(const struct job *job)
{
	return job->slot && job->slot->ladder.cause == LADDER_CAUSE_CANCEL;
}

bool waiting_redispatch(struct supervisor *s, struct job *job)
{
	if (cancel_wished(job)) {
		job->verdict.outcome = BROOD_CANCELLED;
		job->verdict.detail = BROOD_DETAIL_NONE;
		return false;
	}
	if ((job->message.flags & BROOD_JOB_ONCE) || job->redispatched >= REDISPATCH_MAX)
		return false;
	job->redispatched++;
	atomic_fetch_add_explicit(&s->board->redispatched, 1, memory_order_relaxed);
	again(s, job);
	return true;
}

bool waiting_retry(struct supervisor *s, struct job *job)
{
	if (job->retries_left == 0 || !fate_retryable(&job->verdict) ||
		s->halt.phase != HALT_NONE || cancel_wished(job))
		return false;
	job->retries_left--;
	atomic_fetch_add_explicit(&s->board->retried, 1, memory_order_relaxed);
	verdict_fill(job);
	job->before = job->verdict;
	job->ran = true;
	again(s, job);
	return true;
}
