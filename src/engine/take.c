/* SPDX-License-Identifier: MIT */
/*
 * take.c - results that the program takes: those that came, or the result of one job.
 *
 * A result has one way out: the callback, brood_take() or brood_wait_id(). tell.result says whether
 * it has come, and whether it is out. While a thread waits for one job (tell.awaited) the result is
 * that thread's, so whoever closes the job wakes that thread, and puts the result into no list.
 *
 * Results of brood_take() are valid until any thread looks at the queue again. The result of
 * brood_wait_id() is valid until the thread that has it looks again: threads that wait for one job
 * each may share a queue.
 */
#include "take.h"

#include "deliver.h"
#include "engine_root.h"
#include "queue_jobs.h"
#include "sleep.h"

#include <limits.h>

#define LOOK_PAUSE_NS (50 * NS_PER_US)

static __thread char this_thread;

static void forget_waited(struct queue *l)
{
	list_for_each_safe(link, tmp, &l->results.waited) {
		struct queue_job *job = container_of(link, struct queue_job, link);

		if (job->tell.taker != &this_thread)
			continue;
		queue_jobs_free(l, job);
		l->results.taken_count--;
	}
}

void take_forget(struct queue *l)
{
	list_for_each_safe(link, tmp, &l->results.taken) {
		queue_jobs_free(l, container_of(link, struct queue_job, link));
		l->results.taken_count--;
	}
	if (!list_empty(&l->results.waited))
		forget_waited(l);
}

static const struct brood_result *taken(
	struct queue *l, struct queue_job *job, struct list *results)
{
	job->tell.result = RESULT_OUT;
	list_append(&job->link, results);
	l->results.taken_count++;
	return &job->result;
}

/* Wakes one thread for the results that are left; or all, if no result is to come any more. */
static void tell_takers(struct queue *l)
{
	if (l->results.count > 0)
		queue_wake_one(l, &l->sleep.takers);
	else if (l->jobs.out == l->results.taken_count + l->jobs.others)
		queue_wake(l, &l->sleep.takers);
	sleep_listen_polled(l);
}

/*
 * Nothing has come that can be seen in memory. The kernel is asked whether something else has, but
 * not each time by a program that takes and waits in turns, or takes in a loop.
 */
static bool look_is_due(struct queue *l)
{
	uint64_t now;

	if (l->sleep.polled || l->brood->run_here)
		return true;
	now = now_ns();
	if (now - l->sleep.taken < LOOK_PAUSE_NS)
		return false;
	l->sleep.taken = now;
	return true;
}

int engine_take(struct brood_queue *q, const struct brood_result **ret, size_t room)
{
	struct queue *l = (struct queue *)q;
	VISIT(l->brood);
	int count = 0;

	queue_lock(l);
	take_forget(l);
	l->results.taking = true;
	if (l->results.count < room)
		sleep_glance(l);
	if (l->results.count == 0 && look_is_due(l))
		sleep_look(l);
	l->results.taking = false;
	deliver(l);
	deliver_handles_on(l);
	while ((size_t)count < room && count < INT_MAX && !list_empty(&l->results.list)) {
		struct list *link = list_first(&l->results.list);

		list_remove(link);
		l->results.count--;
		ret[count++] = taken(
			l, container_of(link, struct queue_job, link), &l->results.taken);
	}
	tell_takers(l);
	queue_unlock(l);
	return count;
}

/* ---- one job ---- */

static int fail_unknown(uint64_t id)
{
	return fail_with(-ENOENT,
		"brood_wait_id: no result of job %llu is to come here: it was taken or called "
		"back, or the job was not submitted to this queue",
		(unsigned long long)id);
}

/* From now on the result belongs to this thread. */
static int claim(struct queue *l, struct queue_job *job)
{
	if (job->call || job->socket_job || job->tell.result == RESULT_OUT)
		return fail_unknown(job->id);
	if (job->tell.awaited)
		return fail_with(-EBUSY, "brood_wait_id: another thread waits for job %llu",
			(unsigned long long)job->id);
	if (job->tell.result == RESULT_CAME) {
		list_remove(&job->link);
		l->results.count -= !job->tell.on_done;
		l->results.news -= job->tell.round == l->results.round;
	}
	job->tell.held = false;
	job->tell.awaited = true;
	if (!job->tell.telling)
		list_remove(&job->tell.talks);
	return 0;
}

/* The time is up. A closed job's result is held: another thread still tells the job's progress. */
static int unclaim(struct queue_job *job)
{
	job->tell.awaited = false;
	job->tell.held = job->state == JOB_CLOSED;
	return fail_with(-ETIMEDOUT, "brood_wait_id: job %llu %s has no result in time",
		(unsigned long long)job->id, job->function->name);
}

static bool is_there(const struct queue_job *job)
{
	return job->state == JOB_CLOSED && !job->tell.telling &&
		list_empty(&job->tell.progress.list);
}

static void tell_progress(struct queue *l, struct queue_job *job)
{
	job->tell.telling = true;
	deliver_progress(l, &job->tell.progress);
	job->tell.telling = false;
}

static int await(struct queue *l, struct queue_job *job, uint32_t timeout_ms)
{
	uint64_t until = time_after_ms(now_ns(), timeout_ms);
	bool last = false;

	for (;;) {
		if (!job->tell.telling && !list_empty(&job->tell.progress.list))
			tell_progress(l, job);
		if (is_there(job))
			return 0;
		if (last)
			return unclaim(job);
		last = until != TIME_NEVER && now_ns() >= until;
		if (last)
			sleep_look(l);
		else
			sleep_until(l, &job->tell.waiter, until);
	}
}

static const struct brood_result *taken_by_id(struct queue *l, struct queue_job *job)
{
	job->tell.awaited = false;
	job->tell.taker = &this_thread;
	job->result.size = sizeof job->result;
	if (job->reply.lost)
		job->result.reply_size = 0;
	return taken(l, job, &l->results.waited);
}

int engine_wait_id(
	struct brood_queue *q, uint64_t id, uint32_t timeout_ms, const struct brood_result **ret)
{
	struct queue *l = (struct queue *)q;
	VISIT(l->brood);
	struct queue_job *job;
	int r;

	queue_lock(l);
	take_forget(l);
	sleep_glance(l);
	job = queue_jobs_find(l, id);
	r = job ? claim(l, job) : fail_unknown(id);
	if (r == 0)
		r = await(l, job, timeout_ms);
	if (r == 0)
		*ret = taken_by_id(l, job);
	tell_takers(l);
	sleep_tell(l);
	queue_unlock(l);
	return r;
}
