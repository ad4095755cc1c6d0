/* SPDX-License-Identifier: MIT */
/*
 * queue_jobs.c - the jobs of a queue: made and numbered, closed with a verdict, given back; and
 * what the queue knows of their functions. queue_jobs_close() is the only function that closes a
 * job and gives its verdict, whatever the transport was. The struct of a job with a caller or a
 * handle is freed there; that of a submitted job when its result was taken.
 *
 * Freed structs are kept for later jobs, the last one on top, so a steady load touches the same few
 * structs and reply buffers. A job's id modulo the table's size is its place in the table: an id
 * whose place is taken is skipped. Ids come in blocks, so that few of them cost brood.lock.
 */
#include "queue_jobs.h"

#include "caller.h"
#include "engine_root.h"
#include "given.h"
#include "job_record.h"
#include "lease_state.h"
#include "loan.h"
#include "pipe.h"
#include "queue_waiting.h"
#include "reply.h"
#include "retries.h"
#include "sums.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define ID_BLOCK  4096
#define SPARE_MAX 4096

static struct function *function_new(const struct given *order)
{
	struct function *f = malloc(sizeof *f);

	if (!f)
		return NULL;
	*f = (struct function){
		.fn = order->job->fn, .text = order->job->name, .est_ns = PICK_GUESS_NS
	};
	given_name(f->name, order->options.plugin ? order->options.symbol : order->job->name);
	return f;
}

static size_t function_hash(const struct given *order)
{
	uint64_t h = (uint64_t)(uintptr_t)order->job->fn * 0x9e3779b97f4a7c15u ^
		(uint64_t)(uintptr_t)order->job->name * 0xc2b2ae3d27d4eb4fu;

	return (size_t)(h >> 40);
}

/*
 * Finds the job's function in the queue's table, or adds it. The job gets a function of its own
 * when it is a plugin's, or when the table is full (a program may make up names all the time).
 */
static int function_of(struct queue *l, const struct given *order, struct queue_job *job)
{
	size_t at = function_hash(order);

	job->own_function = NULL;
	for (size_t i = 0; i < 8 && !order->options.plugin; i++) {
		struct function **place = &l->jobs.functions[(at + i) % FUNCTIONS_SIZE];

		if (!*place)
			*place = function_new(order);
		if (!*place)
			return -ENOMEM;
		if ((*place)->fn == order->job->fn && (*place)->text == order->job->name) {
			job->function = *place;
			return 0;
		}
	}
	job->function = job->own_function = function_new(order);
	return job->function ? 0 : -ENOMEM;
}

void queue_jobs_unring(struct queue_job *job)
{
	struct lease *lease = job->lease;
	struct lease_entry *entry = &lease->entries[job->sequence % RING_DEPTH];

	LEASE_UNWAIT(lease, job->sequence);
	entry->job = NULL;
	lease->cost_ns -= entry->cost;
	entry->cost = 0;
	lease->queue->leases.ringed--;
	job->lease = NULL;
	job->state = JOB_NEW;
}

static int grow(struct queue *l)
{
	size_t room = l->jobs.room * 2;
	struct queue_job **jobs = calloc(room, sizeof *jobs);

	if (!jobs)
		return -ENOMEM;
	for (size_t i = 0; i < l->jobs.room; i++)
		if (l->jobs.table[i])
			jobs[l->jobs.table[i]->id & (room - 1)] = l->jobs.table[i];
	free(l->jobs.table);
	l->jobs.table = jobs;
	l->jobs.room = room;
	return 0;
}

static uint64_t next_id(struct queue *l)
{
	struct brood *b = l->brood;

	if (l->jobs.next_id == l->jobs.last_id) {
		engine_lock(b);
		l->jobs.next_id = b->last_id;
		b->last_id += ID_BLOCK;
		engine_unlock(b);
		l->jobs.last_id = l->jobs.next_id + ID_BLOCK;
	}
	return ++l->jobs.next_id;
}

static struct queue_job *job_new(struct queue *l)
{
	struct list *spare = list_first(&l->jobs.spare);
	struct queue_job *job;

	if (spare) {
		job = container_of(spare, struct queue_job, link);
		list_remove(spare);
		l->jobs.spare_count--;
		return job;
	}
	job = calloc(1, sizeof *job);
	if (!job)
		return NULL;
	list_init(&job->link);
	progress_init(&job->tell.progress);
	list_init(&job->tell.talks);
	job->fds.memfd = job->fds.socket = job->reply.memfd = -1;
	return job;
}

static void job_spare(struct queue *l, struct queue_job *job)
{
	if (l->jobs.spare_count >= SPARE_MAX) {
		free(job->reply.buffer);
		free(job);
		return;
	}
	if (job->reply.buffer_size > QUEUE_BUFFER_KEPT) {
		free(job->reply.buffer);
		job->reply.buffer = NULL;
		job->reply.buffer_size = 0;
	}
	list_insert(&job->link, &l->jobs.spare);
	l->jobs.spare_count++;
}

/* Keeps the tag for the job's result. (Who waits for a call or a handle has the tag already.) */
static int keep_tag(struct queue_job *job, const struct given *order)
{
	job->tell.tag = strdup(given_tag(order));
	return job->tell.tag ? 0 : -ENOMEM;
}

static void forget_tag(struct queue_job *job)
{
	free(job->tell.tag);
	job->tell.tag = NULL;
}

static void take_options(struct queue_job *job, const struct given *order)
{
	const struct brood_job_options *o = &order->options;

	job->pool = order->pool;
	job->limits.flags = o->flags;
	job->limits.queue_ms = o->queue_ms;
	job->limits.run_ms = o->run_ms;
	job->limits.grace_ms = o->grace_ms;
	job->limits.background = o->priority == BROOD_BACKGROUND && !o->lease;
	job->limits.key = o->key;
	job->tries.left = o->retries;
	job->tries.on = o->retry_on;
	job->tries.pause_ms = o->retry_pause_ms;
	job->tries.made = job->tries.moved = 0;
	job->tries.cancelled = job->tries.ran = job->tries.pause = job->reply.came = job->alone =
		job->socket_job = job->fds.out = job->reply.lost = job->tell.held =
			job->tell.awaited = false;
	job->tell.waiter = NULL;
	job->tell.result = RESULT_NONE;
	job->given_ns = order->given_ns;
	job->request_size = order->request_size;
	job->arg_size = order->arg_size;
	job->plugin_size = order->plugin_size;
	job->tell.tag_size = order->tag_size;
	job->tell.on_done = o->on_done;
	job->tell.on_progress = o->on_progress;
	job->handle = NULL;
	job->call = NULL;
	job->result.context = o->context;
	job->result.reply = NULL;
	job->result.reply_size = 0;
	job->result.fds = NULL;
	job->result.fds_count = 0;
	job->result.tag = job->tell.tag ? job->tell.tag : "";
}

static void number(struct queue *l, struct queue_job *job)
{
	do
		job->id = next_id(l);
	while (l->jobs.table[job->id & (l->jobs.room - 1)]);
	l->jobs.table[job->id & (l->jobs.room - 1)] = job;
}

void queue_jobs_renumber(struct queue *l, struct queue_job *job)
{
	l->jobs.table[job->id & (l->jobs.room - 1)] = NULL;
	number(l, job);
}

int queue_jobs_new(
	struct queue *l, const struct given *order, bool submitted, struct queue_job **ret)
{
	bool full = l->jobs.out - l->results.taken_count >= l->jobs.limit;
	struct queue_job *job;
	int r;

	/* In inline mode, results that nobody takes must not refuse a call. */
	if (full && (submitted || !l->brood->run_here))
		return -EAGAIN;
	if (l->jobs.out * 2 >= l->jobs.room && (r = grow(l)) < 0)
		return r;
	job = job_new(l);
	if (!job)
		return -ENOMEM;
	r = submitted && order->tag_size ? keep_tag(job, order) : 0;
	if (r == 0)
		r = function_of(l, order, job);
	if (r < 0) {
		forget_tag(job);
		job_spare(l, job);
		return r;
	}
	number(l, job);
	l->jobs.out++;
	job->state = JOB_NEW;
	take_options(job, order);
	*ret = job;
	return 0;
}

struct queue_fds *queue_jobs_fds_free(struct queue_fds *fds)
{
	for (size_t i = 0; fds && i < fds->count; i++)
		closing_fd(fds->fds[i]);
	free(fds);
	return NULL;
}

void queue_jobs_free(struct queue *l, struct queue_job *job)
{
	if (job->state == JOB_WAITING)
		queue_waiting_remove(l, job);
	else if (job->state == JOB_PAUSED)
		queue_waiting_unpause(l, job);
	list_remove(&job->link);
	list_remove(&job->tell.talks);
	if (!list_empty(&job->tell.progress.list))
		progress_free(&job->tell.progress);
	if (job->in_backlog)
		queue_waiting_uncount(l, job);
	if (job->id) {
		l->jobs.table[job->id & (l->jobs.room - 1)] = NULL;
		l->jobs.out--;
		l->jobs.others -= job->call || job->socket_job;
	}
	job->id = 0;
	if (job->bytes)
		free(job->bytes);
	job->bytes = NULL;
	if (job->fds.loan)
		job->fds.loan = loan_release(job->fds.loan);
	if (job->own_function)
		free(job->own_function);
	job->own_function = NULL;
	forget_tag(job);
	if (job->pipe)
		pipe_free(l, job);
	job->fds.memfd = close_fd(job->fds.memfd);
	if (job->fds.socket >= 0)
		job->fds.socket = closing_socket(job->fds.socket);
	job->reply.memfd = close_fd(job->reply.memfd);
	if (job->fds.extra)
		job->fds.extra = queue_jobs_fds_free(job->fds.extra);
	if (job->reply.fds)
		job->reply.fds = queue_jobs_fds_free(job->reply.fds);
	if (job->reply.mapped)
		munmap(job->reply.mapped, job->reply.mapped_size);
	job->reply.mapped = NULL;
	job->state = JOB_NEW;
	job_spare(l, job);
}

struct queue_job *queue_jobs_find(struct queue *l, uint64_t id)
{
	struct queue_job *job = l->jobs.table[id & (l->jobs.room - 1)];

	return job && job->id == id ? job : NULL;
}

/*
 * Ends the conversation at its other end, where no worker has: the worker never had the job, or is
 * dead while a child of the job, or the side socket's buffer, may still hold the socket.
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
		QUEUE_COUNT(l, job->pool, dropped, dropped);
	} else {
		handle->verdict = job->result.verdict;
		handle->on.job = NULL;
		handle->on.round = l->results.handle_round;
		l->results.handle_news++;
		queue_wake(l, &handle->on.sleepers);
		/* done last: from now on its owner may give the handle back */
		atomic_store_explicit(&handle->closed, true, memory_order_release);
	}
	queue_jobs_free(l, job);
}

/* Gives the verdict and the reply to the thread that made the call. */
static void close_call(struct queue *l, struct queue_job *job)
{
	struct queue_call *call = job->call;

	*call->verdict = job->result.verdict;
	call->reply_size = job->result.reply_size;
	call->lost = job->reply.lost;
	if (call->in_place)
		reply_to_call(job);
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

void queue_jobs_result(struct queue *l, struct queue_job *job)
{
	job->result.size = sizeof job->result;
	if (job->reply.lost)
		job->result.reply_size = 0; /* lost: only the verdict has its size */
	job->tell.result = RESULT_CAME;
	job->tell.round = l->results.round;
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
	if (job->pool->setup->named)
		pool_sign(job->pool, v);
}

void queue_jobs_close(struct queue *l, struct queue_job *job, const struct brood_verdict *verdict)
{
	struct brood_verdict *v = &job->result.verdict;
	bool counted = job->state == JOB_STREAMED; /* the supervisor counts such a job */

	if (job->state == JOB_CLOSED)
		abort(); /* a second verdict is a bug of the library */
	if (job->state == JOB_WAITING)
		queue_waiting_remove(l, job);
	else if (job->state == JOB_PAUSED)
		queue_waiting_unpause(l, job);
	else if (job->state == JOB_RINGED)
		queue_jobs_unring(job);
	list_remove(&job->link);
	job->state = JOB_CLOSED;
	if (job->fds.loan)
		job->fds.loan = loan_release(job->fds.loan);
	if (job->in_backlog)
		queue_waiting_uncount(l, job);
	write_down(job, verdict);
	if (!counted) {
		status_verdict(SUMS_PLACE(l, job->pool), v->outcome, v->detail);
		if (v->outcome == BROOD_REFUSED || v->outcome == BROOD_LOST)
			outcome_count_drop(l->brood, v, v->name, queue_jobs_tag(job));
	}
	if (job->socket_job) {
		/* The other end reads end-of-file now, even if a copy is on its way to a worker. */
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
	/* a job that is over needs no extra fds, and their other ends wait for the close */
	if (job->fds.extra)
		job->fds.extra = queue_jobs_fds_free(job->fds.extra);
	if (job->tell.awaited) {
		queue_wake(l, &job->tell.waiter);
	} else if (job->tell.telling || !list_empty(&job->tell.talks)) {
		job->tell.held = true;
	} else {
		queue_jobs_result(l, job);
	}
}

void queue_jobs_refuse(struct queue *l, struct queue_job *job, enum brood_detail detail)
{
	struct brood_verdict verdict = outcome_made_up(BROOD_REFUSED, detail, job->given_ns);

	job->result.reply = NULL;
	job->result.reply_size = 0;
	queue_jobs_close(l, job, &verdict);
}

bool queue_jobs_may_retry(struct queue *l, const struct queue_job *job, struct brood_verdict *v)
{
	return l->kind != QUEUE_PINNED && !l->freed && l->brood->state == ENGINE_RUNNING &&
		outcome_may_again(&job->tries, v) && retries_allow(job->pool, l, v);
}

void queue_jobs_retry(struct queue *l, struct queue_job *job, const struct brood_verdict *v)
{
	outcome_again(&job->tries, v);
	job->tries.before.size = sizeof job->tries.before;
	job->tries.before.id = job->id;
	memcpy(job->tries.before.name, job->function->name, sizeof job->tries.before.name);
	l->stats.retried++;
}

void queue_jobs_progress_came(struct queue *l, struct queue_job *job)
{
	if (job->call) {
		queue_wake(l, &job->call->sleeper);
		return;
	}
	if (job->tell.awaited) {
		queue_wake(l, &job->tell.waiter);
		return;
	}
	if (list_empty(&job->tell.talks))
		list_append(&job->tell.talks, &l->results.talkers);
	if (!l->results.taking)
		queue_wake_one(l, &l->sleep.takers);
}

void queue_jobs_progress(struct queue *l, struct queue_job *job, const struct message_progress *m)
{
	struct progress *to = job->call ? &job->call->progress : &job->tell.progress;

	/* the job's true id replaces what the worker says */
	if (progress_add(to, job->tell.on_progress, job->result.context, job->id, m))
		queue_jobs_progress_came(l, job);
}
