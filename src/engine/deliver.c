/* SPDX-License-Identifier: MIT */
/*
 * deliver.c - calls the program's callbacks, without the queue's lock: on_progress and on_done.
 */
#include "deliver.h"

#include "place.h"
#include "ring_in.h"
#include "queue_jobs.h"
#include "engine_root.h"
#include "waiter.h"

static void tell(struct queue *l, struct progress *progress)
{
	struct progress batch;

	progress_init(&batch);
	progress_move(progress, &batch);
	/*
	 * Workers hear of the placed jobs now: perhaps no thread looks at the queue until the
	 * callback is over.
	 */
	ring_in_flush(l);
	queue_unlock(l);
	progress_tell(&batch);
	queue_lock(l);
}

void deliver_progress(struct queue *l, struct progress *progress)
{
	while (!list_empty(&progress->list))
		tell(l, progress);
}

/*
 * Calls on_progress for each submitted job with news. For one job, only one thread at a time does
 * so; until that thread is through, the job's result waits and the job is not freed.
 */
static void tell_progress(struct queue *l)
{
	list_for_each_safe(link, tmp, &l->results.talkers) {
		struct queue_job *job = container_of(link, struct queue_job, tell.talks);

		if (job->tell.telling)
			continue;
		job->tell.telling = true;
		deliver_progress(l, &job->tell.progress);
		job->tell.telling = false;
		if (job->tell.awaited)
			queue_wake(l, &job->tell.waiter);
		list_remove(&job->tell.talks);
		if (job->tell.held) {
			job->tell.held = false;
			queue_jobs_result(l, job);
		}
		tmp = l->results.talkers.next; /* other threads have used the list meanwhile */
	}
}

static __thread const struct queue *delivering_queue;

/* Mostly no thread runs callbacks. Then the thread's own variable, which is slow, is not read. */
bool deliver_here(const struct queue *l) { return l->results.calling > 0 && delivering_queue == l; }

static void call_back(struct list *batch)
{
	list_for_each_safe(link, tmp, batch) {
		struct queue_job *job = container_of(link, struct queue_job, link);

		job->tell.on_done(job->result.context, &job->result);
	}
}

int deliver_handles(struct queue *l)
{
	uint32_t count = MIN(l->results.handle_news, (uint32_t)INT16_MAX);

	l->results.handle_news = 0;
	l->results.handle_round++;
	return (int)count;
}

void deliver_handles_on(struct queue *l)
{
	struct brood *b = l->brood;
	uint32_t count = l->results.handle_news > 0 ? (uint32_t)deliver_handles(l) : 0;

	if (count == 0 || l->kind != QUEUE_OWN)
		return;
	engine_lock(b);
	b->news += count;
	waiter_tell_poller(b);
	engine_unlock(b);
}

/*
 * Calls the callbacks of one round. If they submit jobs that end immediately, the results of these
 * jobs come with the next round.
 */
int deliver(struct queue *l)
{
	const struct queue *before = delivering_queue;
	struct list batch;
	int count;

	tell_progress(l);
	count = (int)MIN(l->results.news, (uint32_t)INT32_MAX);
	l->results.news = 0;
	l->results.round++;
	list_init(&batch);
	while (!list_empty(&l->results.callbacks)) {
		struct list *link = list_first(&l->results.callbacks);

		list_remove(link);
		list_append(link, &batch);
		container_of(link, struct queue_job, link)->tell.result = RESULT_OUT;
	}
	if (!list_empty(&batch)) {
		delivering_queue = l;
		l->results.calling++;
		queue_unlock(l);
		call_back(&batch);
		queue_lock(l);
		l->results.calling--;
		delivering_queue = before;
		list_for_each_safe(link, tmp, &batch)
			queue_jobs_free(l, container_of(link, struct queue_job, link));
		place_waiting(l);
		if (l->jobs.out == l->results.taken_count + l->jobs.others)
			/* no result is to come any more for the threads that wait for one */
			queue_wake(l, &l->sleep.takers);
	}
	ring_in_flush(l);
	return count;
}
