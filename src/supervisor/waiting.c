/* SPDX-License-Identifier: MIT */
/*
 * waiting.c - the queue of jobs and of requests for leases. A job that its worker did not begin, or
 * that is tried again, comes back to the front; a retry may have a pause first.
 */
#include "waiting.h"
#include "pool.h"
#include "verdict.h"

/* So many workers may die before they begin a job; then the job's verdict is crashed. */
#define REDISPATCH_MAX 16u

static void queue_time_up(struct timer *timer, uint64_t now)
{
	struct job *job = container_of(timer, struct job, queue_timer);

	(void)now;
	verdict_refuse(job, BROOD_DETAIL_QUEUE_TIME);
}

static void enqueue(struct job *job, bool front)
{
	struct pool *pool = job->pool;
	struct supervisor *s = pool->supervisor;
	uint64_t now = now_ns();

	records_queue(&pool->records, &job->link, front);
	job->queue_timer.on = queue_time_up;
	note_pool(pool, NOTE_QUEUE | NOTE_GAUGES | NOTE_SIZE);
	if (s->halt.phase == HALT_DRAIN)
		note_pool(pool, NOTE_BIRTH); /* births go on while jobs or requests wait */
	/*
	 * queue_ms begins anew with each attempt, for the time that an earlier attempt ran was no
	 * waiting. The wait has a bound all the same, since the number of attempts has one.
	 */
	timer_set(&s->loop, &job->queue_timer,
		time_after_ms(
			front ? now : MIN(job->message.given_ns, now), job->message.queue_ms));
}

static void pause_over(struct timer *timer, uint64_t now)
{
	(void)now;
	enqueue(container_of(timer, struct job, queue_timer), true);
}

/*
 * The pause before a retry (retry_pause_ms). Retries of a call come here, too, although the engine
 * counts them: each attempt of a call is a job of its own here.
 */
static void pause_first(struct job *job)
{
	records_pause(&job->pool->records, &job->link);
	job->queue_timer.on = pause_over;
	timer_set(&job->pool->supervisor->loop, &job->queue_timer,
		time_after_ms(now_ns(), job->message.pause_ms));
}

void waiting_enter(struct job *job)
{
	if (pool_hopeless(job->pool))
		verdict_refuse(job, BROOD_DETAIL_DEGRADED);
	else if (job->message.attempt > 0 && job->message.pause_ms > 0)
		pause_first(job);
	else
		enqueue(job, false);
}

void waiting_key_over(struct job *job)
{
	job->for_key = false;
	enqueue(job, true);
}

static void key_time_up(struct timer *timer, uint64_t now)
{
	(void)now;
	waiting_key_over(container_of(timer, struct job, queue_timer));
}

void waiting_for_key(struct job *job)
{
	struct pool *pool = job->pool;

	records_pause(&pool->records, &job->link);
	job->for_key = job->key_waited = true;
	pool->keys.waits++;
	job->queue_timer.on = key_time_up;
	timer_set(&pool->supervisor->loop, &job->queue_timer, now_ns() + KEYS_WAIT_NS);
}

static void again(struct job *job, bool pause)
{
	struct pool *pool = job->pool;

	slot_cut_job(job->slot);
	if (pool_hopeless(pool))
		verdict_refuse(job, BROOD_DETAIL_DEGRADED);
	else if (pool->supervisor->halt.phase >= HALT_CANCEL)
		verdict_refuse(job, BROOD_DETAIL_DRAINING);
	else if (pause && job->message.pause_ms > 0)
		pause_first(job);
	else
		enqueue(job, true);
}

static bool cancel_wished(const struct job *job)
{
	return job->slot && job->slot->ladder.cause == LADDER_CAUSE_CANCEL;
}

bool waiting_redispatch(struct job *job)
{
	if (cancel_wished(job)) {
		job->verdict.outcome = BROOD_CANCELLED;
		job->verdict.detail = BROOD_DETAIL_NONE;
		return false;
	}
	/* without files, or with a socket of the worker's, it had begun: the memory lies */
	if ((job->message.flags & BROOD_JOB_ONCE) || job->redispatched >= REDISPATCH_MAX ||
		job->files_gone || job->carried.has_socket)
		return false;
	job->redispatched++;
	count_one(&job->pool->stats_page->redispatched);
	again(job, false);
	return true;
}

/*
 * True: the cap on retries forbids this retry. It allows a share of all handed-off jobs that have
 * had their verdict.
 */
static bool capped(struct pool *pool, struct brood_verdict *v)
{
	uint64_t jobs = 0;

	if (!budget_counts(v))
		return false;
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		jobs += atomic_load_explicit(&pool->stats_page->verdicts[i], memory_order_relaxed);
	budget_earn(&pool->budget, pool->setup->own.retry_percent, jobs);
	if (budget_take(&pool->budget, now_ns()))
		return false;
	v->flags |= BROOD_NOT_RETRIED;
	return true;
}

bool waiting_retry(struct job *job)
{
	struct pool *pool = job->pool;

	if (job->retries_left == 0 || !fate_retryable(&job->verdict, job->message.retry_on) ||
		pool->supervisor->halt.phase != HALT_NONE || cancel_wished(job) ||
		capped(pool, &job->verdict))
		return false;
	job->retries_left--;
	count_one(&pool->stats_page->retried);
	verdict_fill(job);
	job->before = job->verdict;
	job->ran = true;
	again(job, true);
	return true;
}
