/* SPDX-License-Identifier: MIT */
/*
 * inline_run.c - the transport of inline mode. A job runs in the thread that gives it
 * (brood_open(): in a thread of its own, because the caller talks to it), through the worker's own
 * code, so that a job sees the same struct brood_job. A crash is a crash of the caller; limits are
 * not enforced; there is nobody to kill.
 *
 * The trap: while the job runs, brood_stop() may give up waiting for it. Then the job has a verdict
 * already, and its struct may be another job's. So the job is looked for by its id.
 */
#define _GNU_SOURCE
#include "inline_run.h"

#include "../engine/deliver.h"
#include "../engine/given.h"
#include "../engine/queue_jobs.h"
#include "../engine/queue.h"
#include "../engine/sleep.h"
#include "../engine/sums.h"
#include "../worker/init_data.h"
#include "../worker/job_inline.h"
#include "inline_bytes.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A static program may lack these functions: then jobs of plugins are refused. */
#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlerror

/* A job that runs here, with a copy of all that it needs. */
struct here {
	struct queue *queue;
	uint32_t pool; /* the pool's number */
	uint64_t id;
	brood_fn *fn;
	uint32_t plugin_size; /* bytes of the plugin's text, in `arg` behind the argument */
	struct job_inline worker;
	struct brood_verdict verdict;
	struct inline_bytes bytes;
	bool has_bytes;
	bool grown;                 /* the reply is in memory of its own */
	struct queue_fds fds, back; /* fds: the job's extra fds; back: the fds of its reply */
	char name[BROOD_NAME_MAX];
	_Alignas(max_align_t) unsigned char arg[MESSAGE_ARG_MAX];
};

static const struct brood_options *program;

void inline_run_options(const struct brood_options *options) { program = options; }

static const struct brood_init_data *_Atomic init_data[BROOD_POOLS_MAX];

void inline_run_init_data(uint32_t pool, const struct brood_init_data *data)
{
	atomic_store(&init_data[pool], data);
}

/*
 * The init data that jobs of this pool see. NULL for the first pool: its jobs see what code outside
 * of jobs sees.
 */
static const struct brood_init_data *init_data_of(uint32_t pool)
{
	static const struct brood_init_data nothing = { .size = sizeof nothing };
	const struct brood_init_data *data = atomic_load(&init_data[pool]);

	return pool == 0 ? NULL : data ? data : &nothing;
}

static void log_line(void *unused, const struct brood_log *line)
{
	/* Recursive, because a callback may run a job that logs. */
	static pthread_mutex_t one_at_a_time = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

	(void)unused;
	pthread_mutex_lock(&one_at_a_time);
	if (program->log)
		program->log(program->log_context, line);
	else
		dprintf(2, "%s\n", line->text);
	pthread_mutex_unlock(&one_at_a_time);
}

/* The job that runs here; the caller holds the queue's lock. NULL: the stop gave the job up. */
static struct queue_job *job_of(const struct here *h)
{
	struct queue_job *job = queue_jobs_find(h->queue, h->id);

	return job && job->state == JOB_HERE ? job : NULL;
}

static void keep_progress(void *context, const void *data, size_t size)
{
	struct here *h = context;
	struct message_progress m = { .size = (uint32_t)size };
	struct queue_job *job;

	if (size > 0)
		memcpy(m.data, data, size);
	queue_lock(h->queue);
	job = job_of(h);
	if (job) {
		queue_jobs_progress(h->queue, job, &m);
		if (job->call)
			deliver_progress(h->queue, &job->call->progress);
		sleep_tell(h->queue);
	}
	queue_unlock(h->queue);
}

/* ---- Under the queue's lock: what the job needs ---- */

/* A request in memory on loan is read where it lies. */
static const unsigned char *in_place(const struct given *given)
{
	size_t size;
	const unsigned char *memory = engine_request_memory(given->loan, &size);

	return memory + given->loan_at;
}

static void describe(
	struct here *h, struct queue *l, struct queue_job *job, const struct given *given)
{
	*h = (struct here){ .queue = l,
		.pool = given->pool->setup->number,
		.id = job->id,
		.fn = given->job->fn,
		.plugin_size = given->plugin_size,
		.verdict = { .pid = getpid(), .generation = 1, .started = 1, .path = given->path },
		.bytes = { .request = given->request,
			.left = given->loan ? 0 : (size_t)given->request_size,
			.reply = job->call ? job->call->room : NULL,
			.room = job->call ? job->call->room_size : 0,
			.grow = !job->call || job->call->in_place },
		.has_bytes = !job->socket_job,
		.grown = !job->call || job->call->in_place };
	memcpy(h->name, job->function->name, sizeof h->name);
	memcpy(h->arg, given->arg ? given->arg : "", given->arg_size);
	h->worker = (struct job_inline){ .fd = job->fds.socket,
		.id = h->id,
		.request_size = (size_t)given->request_size,
		.request = given->loan ? in_place(given) : NULL,
		.arg = h->arg,
		.arg_size = given->options.arg_size,
		.own_pair = h->has_bytes || job->fds.own_pair,
		.name = h->name,
		.tag = given->tag_size ? (const char *)h->arg + given->arg_size - given->tag_size
				       : "",
		.log = log_line,
		.fds = h->fds.fds,
		.progress = keep_progress,
		.progress_context = h };
	if (h->has_bytes) {
		h->worker.ret_fds = h->back.fds;
		h->worker.ret_fds_count = &h->back.count;
	}
}

static void count(const struct here *h, int by)
{
	/* jobs of two queues begin and end under two different locks, perhaps at the same time */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct queue *l = h->queue;
	struct stats_page *stats = shared_stats_page(&l->brood->shared, h->pool);

	l->leases.streamed += (uint32_t)by; /* brood_stop() waits for the jobs that this counts */
	pthread_mutex_lock(&lock);
	atomic_fetch_add(&stats->busy, (uint32_t)by);
	atomic_store(&stats->idle, atomic_load(&stats->busy) == 0);
	pthread_mutex_unlock(&lock);
}

/* The job runs: from now on the fds belong to it. */
static void begin(struct here *h, struct queue_job *job)
{
	job->state = JOB_HERE;
	job->tries.made = 1;
	job->fds.socket = -1;
	if (job->fds.extra) {
		h->fds = *job->fds.extra;
		job->fds.extra->count = 0;
	}
	h->worker.fds_count = h->fds.count;
	count(h, 1);
}

/* ---- without the lock: the job runs ---- */

/* The plugin stays open for good, as in a worker. */
static brood_fn *open_plugin(struct here *h)
{
	struct brood_log line = { .size = sizeof line,
		.level = BROOD_WARNING,
		.event = BROOD_EVENT_JOB_LOG,
		.pid = getpid(),
		.slot = UINT32_MAX };
	const char *path = (const char *)h->arg + h->worker.arg_size;
	bool can = dlopen && dlsym && dlerror;
	void *plugin = can ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	void *symbol = plugin ? dlsym(plugin, path + strlen(path) + 1) : NULL;

	if (!symbol) {
		line.text = can ? dlerror() : "plugin: this program cannot open shared objects";
		line.text = line.text ? line.text : "plugin: the symbol is NULL";
		log_line(NULL, &line);
	}
	return (brood_fn *)(uintptr_t)symbol;
}

static uint64_t thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / NS_PER_US;
}

static bool call_function(struct here *h)
{
	struct brood_verdict *v = &h->verdict;
	uint64_t began = now_ns(), cpu = thread_cpu_us();
	const struct brood_init_data *outer = init_data_here(init_data_of(h->pool));
	bool taken;

	v->code = job_inline_run(h->fn, &h->worker, &taken);
	/* a job may give another job: afterwards the init data of the first one is set again */
	init_data_here(outer);
	v->outcome = v->code ? BROOD_FAILED : BROOD_DONE;
	v->run_us = (now_ns() - began) / NS_PER_US;
	if (program->flags & BROOD_ACCOUNT_CPU)
		v->cpu_us = thread_cpu_us() - cpu;
	return taken;
}

/* The verdict of a job whose plugin could not be opened. */
static void refuse(struct here *h)
{
	h->verdict.outcome = BROOD_REFUSED;
	h->verdict.detail = BROOD_DETAIL_PLUGIN;
	h->verdict.started = 0;
	while (h->fds.count > 0)
		close_fd(h->fds.fds[--h->fds.count]);
	shutdown(h->worker.fd, SHUT_RDWR);
	close_fd(h->worker.fd);
}

static void run(struct here *h)
{
	bool taken = false;

	if (h->plugin_size > 0)
		h->fn = open_plugin(h);
	if (h->fn)
		taken = call_function(h);
	else
		refuse(h);
	if (h->has_bytes)
		inline_bytes_end(&h->bytes, taken);
}

/* ---- under the lock again: what came of the job ---- */

static void take_reply(struct here *h, struct queue_job *job)
{
	job->result.reply_size = h->bytes.received;
	job->reply.lost = h->bytes.received > h->bytes.room && h->grown;
	if (h->grown) {
		free(job->reply.buffer);
		job->reply.buffer = h->bytes.reply;
		job->result.reply = h->bytes.received > 0 && !job->reply.lost ? h->bytes.reply
									      : NULL;
		job->reply.buffer_size = h->bytes.room;
		h->bytes.reply = NULL;
	}
	if (h->back.count > 0 && (job->reply.fds = malloc(sizeof h->back))) {
		*job->reply.fds = h->back;
		job->result.fds = job->reply.fds->fds;
		job->result.fds_count = h->back.count;
		h->back.count = 0;
	}
}

static void end(struct here *h)
{
	struct queue *l = h->queue;
	struct queue_job *job = job_of(h);

	count(h, -1);
	if (job) {
		if (h->verdict.started)
			status_times(SUMS_PLACE(l, job->pool), h->verdict.queue_us * NS_PER_US,
				h->verdict.run_us * NS_PER_US);
		if (h->has_bytes)
			take_reply(h, job);
		queue_jobs_close(l, job, &h->verdict);
		sleep_tell(l);
	}
	if (h->bytes.grow)
		free(h->bytes.reply);
	while (h->back.count > 0)
		close_fd(h->back.fds[--h->back.count]);
}

static void *thread_main(void *arg)
{
	struct here *h = arg;

	/* The thread that made this one holds the lock until the job counts as begun. */
	queue_lock(h->queue);
	queue_unlock(h->queue);
	run(h);
	queue_lock(h->queue);
	end(h);
	queue_unlock(h->queue);
	free(h);
	return NULL;
}

/*
 * Does all that may fail. Returns the fd of inline_bytes_begin() for a job of bytes, otherwise 0;
 * or -errno.
 */
static int prepare(struct here *h, bool in_thread)
{
	pthread_t thread;
	int r;

	if (!in_thread)
		return h->has_bytes ? inline_bytes_begin(&h->bytes) : 0;
	r = inline_bytes_thread(&thread, thread_main, h);
	if (r == 0)
		pthread_detach(thread);
	return r;
}

int inline_run(struct queue *l, struct queue_job *job, const struct given *given)
{
	bool in_thread = given->own_pair; /* true for brood_open() */
	struct here here, *h = in_thread ? malloc(sizeof *h) : &here;
	int r;

	if (!h)
		return -ENOMEM;
	describe(h, l, job, given);
	r = prepare(h, in_thread);
	if (r < 0) {
		if (in_thread)
			free(h);
		return r;
	}
	if (h->has_bytes)
		h->worker.fd = r;
	begin(h, job);
	if (in_thread)
		return 0;
	queue_unlock(l);
	run(h);
	queue_lock(l);
	end(h);
	return 0;
}
