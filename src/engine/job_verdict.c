/* SPDX-License-Identifier: MIT */
/*
 * job_verdict.c - closes a job of a queue and gives its verdict. job_verdict_give() is the only
 * function that does so, whatever the transport was.
 */
#include "job_verdict.h"

#include "engine_root.h"
#include "caller.h"
#include "queue.h"
#include "job_record.h"

#include <stdlib.h>
#include <sys/socket.h>

/*
 * The worker has not done it: it never had the job, or is dead, and a child of the job's, or the
 * link's buffer, may still hold the socket.
 */
static void end_socket(const struct queue_job *job)
{
	enum brood_outcome outcome = job->result.verdict.outcome;

	if (job->fds.socket >= 0 && outcome != BROOD_DONE && outcome != BROOD_FAILED)
		shutdown(job->fds.socket, SHUT_RDWR);
}

static void close_handle(struct queue *l, struct queue_job *job)
{
	struct brood_handle *handle = job->handle;

	end_socket(job);
	if (!handle) {
		l->stats.dropped += job->socket_job;
	} else {
		handle->verdict = job->result.verdict;
		handle->on.job = NULL;
		handle->on.round = l->results.handle_round;
		l->results.handle_news++;
		queue_wake(l, &handle->on.sleepers);
		/* last: from now on its owner may give it back */
		atomic_store_explicit(&handle->closed, true, memory_order_release);
	}
	queue_jobs_free(l, job);
}

/* What is the caller's own. */
static void close_call(struct queue *l, struct queue_job *job)
{
	struct queue_call *call = job->call;

	*call->verdict = job->result.verdict;
	call->reply_size = job->result.reply_size;
	call->lost = job->reply.lost;
	if (job->result.fds_count) {
		call->fds = job->reply.fds;
		job->reply.fds = NULL;
	}
	call->closed = true;
	if (l->kind == QUEUE_CALLERS)
		caller_closed(l, job);
	else if (call->sleeper)
		queue_wake(l, &call->sleeper);
	queue_jobs_free(l, job);
}

void job_verdict_result(struct queue *l, struct queue_job *job)
{
	job->result.size = sizeof job->result;
	if (job->reply.lost)
		job->result.reply_size = 0; /* what is not there; the verdict has it */
	if (job->tell.on_done) {
		list_append(&job->link, &l->results.callbacks);
	} else {
		list_append(&job->link, &l->results.list);
		l->results.count++;
	}
	l->results.news++;
	if (!l->results.taking)
		queue_wake_one(l, &l->sleep.takers);
}

static void write_down(struct queue_job *job, const struct brood_verdict *verdict)
{
	struct brood_verdict *v = &job->result.verdict;

	if (v != verdict)
		*v = *verdict;
	v->size = sizeof *v;
	v->id = job->id;
	v->attempts = job->tries.made;
	v->reply_size = job->result.reply_size;
	memcpy(v->name, job->function->name, sizeof v->name);
	if (job->tries.ran) {
		outcome_of_tries(&job->tries, v);
		v->attempts = job->tries.made;
	}
	pool_sign(job->pool, v);
}

void job_verdict_give(struct queue *l, struct queue_job *job, const struct brood_verdict *verdict)
{
	struct brood_verdict *v = &job->result.verdict;
	bool counted = job->state == JOB_STREAMED; /* by the supervisor */

	if (job->state == JOB_CLOSED)
		abort(); /* a second verdict: a bug of ours */
	if (job->state == JOB_WAITING)
		queue_jobs_unqueue(l, job);
	list_remove(&job->link);
	job->state = JOB_CLOSED;
	if (job->in_backlog)
		queue_jobs_out_of_backlog(l, job);
	job->lease = NULL;
	write_down(job, verdict);
	if (!counted) {
		l->stats.verdicts[v->outcome]++;
		if (v->outcome == BROOD_REFUSED || v->outcome == BROOD_LOST)
			outcome_count_drop(l->brood, v, v->name);
	}
	if (job->socket_job) {
		/*
		 * Whoever talks on it reads its end now, also while a copy is still on its way to a
		 * worker.
		 */
		if (job->fds.socket >= 0 && !v->started)
			shutdown(job->fds.socket, SHUT_RDWR);
		close_handle(l, job);
		queue_wake(l, &l->sleep.lookers);
		return;
	}
	if (job->call) {
		close_call(l, job);
		return;
	}
	/* nobody but the job needs them, and who reads the other end waits for that */
	if (job->fds.extra)
		job->fds.extra = queue_jobs_fds_free(job->fds.extra);
	if (job->tell.telling || !list_empty(&job->tell.talks)) {
		job->tell.held = true;
	} else {
		job_verdict_result(l, job);
	}
}

void job_verdict_refuse(struct queue *l, struct queue_job *job, enum brood_detail detail)
{
	struct brood_verdict verdict = outcome_made_up(BROOD_REFUSED, detail, job->given_ns);

	job->result.reply = NULL;
	job->result.reply_size = 0;
	job_verdict_give(l, job, &verdict);
}

bool job_verdict_retry(struct queue *l, struct queue_job *job, const struct brood_verdict *v)
{
	if (l->kind == QUEUE_PINNED || l->freed || l->brood->state != ENGINE_RUNNING ||
		!outcome_again(&job->tries, v))
		return false;
	job->tries.before.id = job->id;
	memcpy(job->tries.before.name, job->function->name, sizeof job->tries.before.name);
	l->stats.retried++;
	return true;
}

void job_verdict_progress_came(struct queue *l, struct queue_job *job)
{
	if (job->call) {
		queue_wake(l, &job->call->sleeper);
		return;
	}
	if (list_empty(&job->tell.talks))
		list_append(&job->tell.talks, &l->results.talkers);
	if (!l->results.taking)
		queue_wake_one(l, &l->sleep.takers);
}

void job_verdict_progress(struct queue *l, struct queue_job *job, const struct message_progress *m)
{
	struct progress *to = job->call ? &job->call->progress : &job->tell.progress;

	/* the id is not what a worker says */
	if (progress_add(to, job->tell.on_progress, job->result.context, job->id, m))
		job_verdict_progress_came(l, job);
}
