/* SPDX-License-Identifier: MIT */
/*
 * queue.c - who sleeps in a queue, and who wakes whom (sleep.c runs the threads); and its jobs:
 * made, numbered, given back, and what the queue knows of their functions.
 *
 * Invariant, whenever the queue's lock is free: if a thread follows, one leads, or a follower was
 * woken. queue_unlock() keeps the invariant. So a function that lets go of the lock, to run
 * callbacks or for good, need not think of it.
 *
 * Records of jobs that are over are kept, the last one used on top, so a steady load touches the
 * same few records, and with them the same reply buffers. A job's id modulo the table's size is its
 * place in the table: an id whose place is taken is skipped. Ids come in blocks from the brood, so
 * queues do not meet over each id.
 */
#include "queue.h"

#include "given.h"
#include "pipe.h"
#include "engine_root.h"

#include "../os/futex.h"
#include "../pool/pick.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#define ID_BLOCK  4096
#define SPARE_MAX 4096
/* sleeping threads that are looked at for one that is about to come */
#define COMING_MAX 8

/* How many jobs wait in this queue, for the page that the supervisor can read. */
static void tell_waiting(struct queue *l)
{
	struct tally *tally = l->brood->shared.tally;

	if (l->waiting.count > l->waiting.told)
		atomic_fetch_add_explicit(
			&tally->waiting, l->waiting.count - l->waiting.told, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(
			&tally->waiting, l->waiting.told - l->waiting.count, memory_order_relaxed);
	l->waiting.told = l->waiting.count;
}

/*
 * It is asleep: whoever looks, or may let others look, has stood out of its chain before. (Else
 * `waking` counted somebody who never comes back from sleep, and nobody would be made to lead any
 * more.)
 */
void queue_rouse(struct queue *l, struct sleeper *s)
{
	if (atomic_load_explicit(&s->woken, memory_order_relaxed) == SLEEPER_WOKEN)
		return;
	atomic_store_explicit(&s->woken, SLEEPER_WOKEN, memory_order_relaxed);
	if (s == l->sleep.leader) {
		inbox_poke(&l->inbox);
		return;
	}
	l->sleep.waking++;
	if (s->word)
		atomic_compare_exchange_strong(s->word, &s->asleep, s->told);
	futex_wake(s->word ? s->word : &s->woken, 1);
}

void queue_wake(struct queue *l, struct sleeper **chain)
{
	while (*chain) {
		struct sleeper *s = *chain;

		*chain = s->next;
		s->chain = NULL;
		queue_rouse(l, s);
	}
}

void queue_wake_one(struct queue *l, struct sleeper **chain)
{
	if (*chain)
		queue_rouse(l, *chain);
}

/*
 * The one that came last waits longest yet: the lead changes hands no sooner. NULL: a worker has
 * woken another one, who comes, and lets go of the lock after that.
 */
static struct sleeper *to_lead(struct queue *l)
{
	uint32_t seen = 0;

	list_for_each_safe(link, tmp, &l->sleep.followers) {
		struct sleeper *s = container_of(link, struct sleeper, link);

		if (s->word && atomic_load_explicit(s->word, memory_order_relaxed) == s->told)
			return NULL;
		if (++seen == COMING_MAX)
			break;
	}
	return container_of(l->sleep.followers.prev, struct sleeper, link);
}

int queue_watch(struct queue *l, int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = { .events = events, .data.u64 = what };

	return epoll_ctl(l->fds.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Wakes a follower to lead. */
static void promote(struct queue *l)
{
	struct sleeper *next = l->kind == QUEUE_CALLERS
		? to_lead(l)
		: container_of(list_first(&l->sleep.followers), struct sleeper, link);

	if (next)
		queue_rouse(l, next);
}

void queue_unlock(struct queue *l)
{
	if (l->waiting.count != l->waiting.told)
		tell_waiting(l);
	if (!l->sleep.leader && l->sleep.waking == 0 && !list_empty(&l->sleep.followers))
		promote(l);
	pthread_mutex_unlock(&l->lock);
}

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
 * Found, or new in the table; the job's own when the table is full (names that are made up all the
 * time), or when it is a plugin's.
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

void queue_jobs_unqueue(struct queue *l, struct queue_job *job)
{
	list_remove(&job->link);
	l->waiting.ns -= job->queued_ns;
	l->waiting.count--;
}

void queue_jobs_out_of_backlog(struct queue *l, struct queue_job *job)
{
	job->in_backlog = false;
	atomic_fetch_sub(&l->pool->queues_waiting, 1);
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

static void take_options(struct queue_job *job, const struct given *order)
{
	const struct brood_job_options *o = &order->options;

	job->pool = order->pool;
	job->limits.flags = o->flags;
	job->limits.queue_ms = o->queue_ms;
	job->limits.run_ms = o->run_ms;
	job->limits.grace_ms = o->grace_ms;
	job->tries.left = o->retries;
	job->tries.made = job->tries.moved = 0;
	job->tries.cancelled = job->tries.ran = job->reply.came = job->alone =
		job->socket_job = job->fds.out = job->reply.lost = job->tell.held = false;
	job->given_ns = order->given_ns;
	job->request_size = order->request_size;
	job->arg_size = order->arg_size;
	job->plugin_size = order->plugin_size;
	job->tell.on_done = o->on_done;
	job->tell.on_progress = o->on_progress;
	job->handle = NULL;
	job->call = NULL;
	job->result.context = o->context;
	job->result.reply = NULL;
	job->result.reply_size = 0;
	job->result.fds = NULL;
	job->result.fds_count = 0;
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

	/* In inline mode results that nobody takes must not stand in the way of a call. */
	if (full && (submitted || !l->brood->run_here))
		return -EAGAIN;
	if (l->jobs.out * 2 >= l->jobs.room && (r = grow(l)) < 0)
		return r;
	job = job_new(l);
	if (!job)
		return -ENOMEM;
	r = function_of(l, order, job);
	if (r < 0) {
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

static void unmap_reply(struct queue_job *job)
{
	if (job->reply.mapped)
		munmap(job->reply.mapped, job->reply.mapped_size);
	job->reply.mapped = NULL;
}

void queue_jobs_free(struct queue *l, struct queue_job *job)
{
	if (job->state == JOB_WAITING)
		queue_jobs_unqueue(l, job);
	list_remove(&job->link);
	list_remove(&job->tell.talks);
	if (!list_empty(&job->tell.progress.list))
		progress_free(&job->tell.progress);
	if (job->in_backlog)
		queue_jobs_out_of_backlog(l, job);
	if (job->id) {
		l->jobs.table[job->id & (l->jobs.room - 1)] = NULL;
		l->jobs.out--;
		l->jobs.others -= job->call || job->socket_job;
	}
	job->id = 0;
	if (job->bytes)
		free(job->bytes);
	job->bytes = NULL;
	if (job->own_function)
		free(job->own_function);
	job->own_function = NULL;
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
	unmap_reply(job);
	job->state = JOB_NEW;
	job_spare(l, job);
}

struct queue_job *queue_jobs_find(struct queue *l, uint64_t id)
{
	struct queue_job *job = l->jobs.table[id & (l->jobs.room - 1)];

	return job && job->id == id ? job : NULL;
}

void queue_jobs_wait(struct queue *l, struct queue_job *job, bool front)
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
