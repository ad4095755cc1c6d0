/* SPDX-License-Identifier: MIT */
/*
 * inline.c - BROOD_INLINE: the same program without processes, for gdb, sanitizers and fuzzers. A
 * job runs in the thread that gives it (brood_open(): in a thread of its own, because the caller
 * talks to it), through the worker's own code, so that a job sees the same struct brood_job. A
 * crash is a crash of the caller; limits are not enforced; there is nobody to kill.
 */
#define _GNU_SOURCE
#include "inline_internal.h"

#include "../os/sockets.h"
#include "../worker/job_inline.h"
#include "../worker/init_data.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct init_version {
	struct init_version *older;
	struct brood_init_data data;
	int fds[BROOD_INIT_FDS_MAX];
	unsigned char bytes[];
};

bool inline_all_zero(const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i])
			return false;
	return true;
}

int inline_thread(pthread_t *ret, void *(*main)(void *), void *arg)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

void inline_log(void *context, const struct brood_log *line)
{
	struct inline_brood *b = context;

	/* Recursive: a callback may run a job that logs. */
	pthread_mutex_lock(&b->log_lock);
	if (b->options->log)
		b->options->log(b->options->log_context, line);
	else
		dprintf(2, "%s\n", line->text);
	pthread_mutex_unlock(&b->log_lock);
}

static void locks_init(struct inline_brood *b)
{
	pthread_mutexattr_t recursive;
	pthread_condattr_t monotonic;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->log_lock, &recursive);
	pthread_cond_init(&b->changed, &monotonic);
	pthread_mutexattr_destroy(&recursive);
	pthread_condattr_destroy(&monotonic);
}

static struct inline_brood *brood_free(struct inline_brood *b)
{
	if (b) {
		queue_destroy(b->own);
		close_fd(b->news_fd);
		free(b);
	}
	return NULL;
}

static struct inline_brood *brood_new(const struct brood_options *options)
{
	struct inline_brood *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->options = options;
	list_init(&b->running);
	locks_init(b);
	b->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->own = b->news_fd < 0 ? NULL : queue_make(b, QUEUE_JOBS, -1);
	return b->own ? b : brood_free(b);
}

int inline_start(const struct brood_options *options, struct brood **ret_brood)
{
	struct inline_brood *b;
	int r;

	errno = ENOMEM;
	b = brood_new(options);
	if (!b) /* close_fd() and free() leave errno as it was */
		return inline_fail(-errno, "brood_start", "no memory, or no eventfd could be made");
	r = options->worker_init ? options->worker_init(options->hook_context) : 0;
	if (r != 0) {
		brood_free(b);
		engine_error(
			"brood_start: worker_init returned %d, and in inline mode it runs here", r);
		return -ECANCELED;
	}
	*ret_brood = (struct brood *)b;
	return 0;
}

int inline_check_open(struct inline_brood *b, const char *call)
{
	bool stopped;

	pthread_mutex_lock(&b->lock);
	stopped = b->stopped;
	pthread_mutex_unlock(&b->lock);
	return stopped ? inline_fail(-ESHUTDOWN, call, "brood_stop() was called before") : 0;
}

/* ---- open, give, call ---- */

static void *open_main(void *arg)
{
	struct run *run = arg;

	run_now(run);
	run_finish(run);
	free(run);
	return NULL;
}

static int open_start(struct run *run, int *ret_fd)
{
	pthread_t thread;
	int pair[2], r;

	r = sockets_pair(SOCK_STREAM, pair);
	if (r < 0)
		return inline_fail(r, "brood_open", "no socketpair could be made");
	run->fd = pair[1];
	run_accept(run);
	r = inline_thread(&thread, open_main, run);
	if (r < 0) {
		run_unaccept(run);
		close_fd(pair[0]);
		close_fd(pair[1]);
		return inline_fail(r, "brood_open", "no thread could be started");
	}
	pthread_detach(thread);
	*ret_fd = pair[0];
	return 0;
}

int inline_open(struct brood *b, const struct engine_job *job, int *ret_fd,
	struct brood_handle **ret_handle)
{
	struct inline_handle *handle;
	struct run *run;
	int r;

	if (!ret_fd)
		return inline_fail(-EINVAL, "brood_open", "ret_fd is NULL");
	r = run_new(mine(b), job, "brood_open", ret_handle != NULL, &run);
	if (r < 0)
		return r;
	handle = run->handle;
	r = open_start(run, ret_fd);
	if (r < 0) {
		run_free(run);
		return r;
	}
	if (ret_handle)
		*ret_handle = (struct brood_handle *)handle;
	return 0;
}

int inline_give(
	struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle)
{
	NO_CANCELLATION;
	struct inline_handle *handle;
	struct run *run;
	int r = sockets_is_stream_socket(fd);

	if (r < 0)
		return inline_fail(r == -EPROTOTYPE ? -ENOTSOCK : r, "brood_give",
			"fd is no connected stream socket");
	r = run_new(mine(b), job, "brood_give", ret_handle != NULL, &run);
	if (r < 0)
		return r;
	handle = run->handle;
	run->fd = fd;
	run_accept(run);
	run_now(run);
	run_finish(run);
	free(run);
	if (ret_handle)
		*ret_handle = (struct brood_handle *)handle;
	return 0;
}

static void call_give_fds(struct run *run)
{
	const struct brood_job_options *o = &run->options;
	size_t count = o->ret_fds ? MIN(run->back_count, o->ret_fds_room) : 0;

	if (count > 0)
		memcpy(o->ret_fds, run->back, count * sizeof *run->back);
	if (o->ret_fds_count)
		*o->ret_fds_count = count;
	for (size_t i = count; i < run->back_count; i++)
		close_fd(run->back[i]);
	run->back_count = 0;
}

static void call_progress(void *context, const void *data, size_t size)
{
	struct run *run = context;

	run->options.on_progress(run->options.context, run->verdict.id, data, size);
}

static int call_run(struct run *run, struct run_bytes *bytes)
{
	int r;

	if (run->options.on_progress) {
		run->progress = call_progress;
		run->progress_context = run;
	}
	r = run_bytes(run, bytes, "brood_call", NULL);
	if (r < 0) {
		run_clear(run);
		return r;
	}
	call_give_fds(run);
	run_finish(run);
	return 0;
}

/* It never became a job. */
static void call_refused(struct run *run, int error)
{
	struct brood_verdict *v = &run->verdict;

	v->size = sizeof *v;
	v->outcome = BROOD_REFUSED;
	v->detail = error == -EFAULT                   ? BROOD_DETAIL_BAD_POINTER
		: error == -EMFILE || error == -ENFILE ? BROOD_DETAIL_FD_LOST
						       : BROOD_DETAIL_NONE;
	v->attempts = v->generation = v->path = 0;
	v->pid = v->started = 0;
}

static ssize_t call_answer(const struct run *run, size_t room)
{
	if (run->verdict.outcome == BROOD_REFUSED)
		return inline_fail(-EAGAIN, "brood_call",
			"the plugin could not be opened, or has no such symbol: the log says why");
	if (run->verdict.reply_size > room)
		return inline_fail(-EMSGSIZE, "brood_call",
			"the reply was larger than reply_size: verdict.reply_size has the whole "
			"size");
	return (ssize_t)run->verdict.reply_size;
}

ssize_t inline_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict)
{
	NO_CANCELLATION;
	struct iovec piece = { .iov_base = (void *)(uintptr_t)bytes->request,
		.iov_len = bytes->request_size };
	struct run_bytes all = { .request = &piece,
		.request_count = 1,
		.request_size = bytes->request_size,
		.reply = bytes->reply,
		.room = bytes->reply_size };
	struct run run;
	int r;

	if ((bytes->request_size > 0 && !bytes->request) ||
		(bytes->reply_size > 0 && !bytes->reply))
		return inline_fail(
			-EINVAL, "brood_call", "request or reply is NULL, but its size is not 0");
	r = run_init(&run, mine(b), job, "brood_call");
	if (r == 0)
		r = call_run(&run, &all);
	if (r < 0)
		call_refused(&run, r);
	if (ret_verdict && r != -EINVAL && r != -EPERM && r != -ESHUTDOWN)
		*ret_verdict = run.verdict;
	return r < 0 ? r : call_answer(&run, bytes->reply_size);
}

/* ---- Verdicts ---- */

uint64_t inline_id(const struct brood_handle *h)
{
	return ((const struct inline_handle *)h)->verdict.id;
}

int inline_fetch(struct brood_handle *handle, struct brood_verdict *ret)
{
	struct inline_handle *h = (struct inline_handle *)handle;
	int r = 0;

	pthread_mutex_lock(&h->brood->lock);
	if (!h->closed)
		r = inline_fail(-EAGAIN, "brood_fetch", "the verdict is not there yet");
	else if (ret)
		*ret = h->verdict;
	pthread_mutex_unlock(&h->brood->lock);
	return r;
}

struct timespec inline_deadline(uint32_t timeout_ms)
{
	uint64_t when = time_after_ms(now_ns(), timeout_ms);

	return (struct timespec){ .tv_sec = (time_t)(when / NS_PER_S),
		.tv_nsec = (long)(when % NS_PER_S) };
}

int inline_wait(struct brood_handle *handle, uint32_t timeout_ms, struct brood_verdict *ret)
{
	NO_CANCELLATION;
	struct inline_handle *h = (struct inline_handle *)handle;
	struct timespec end = inline_deadline(timeout_ms);
	int r = 0;

	pthread_mutex_lock(&h->brood->lock);
	while (!h->closed && r == 0)
		r = timeout_ms == BROOD_FOREVER
			? pthread_cond_wait(&h->brood->changed, &h->brood->lock)
			: pthread_cond_timedwait(&h->brood->changed, &h->brood->lock, &end);
	r = h->closed ? 0 : inline_fail(-ETIMEDOUT, "brood_wait", "no verdict in that time");
	if (r == 0 && ret)
		*ret = h->verdict;
	pthread_mutex_unlock(&h->brood->lock);
	return r;
}

void inline_release(struct brood_handle *handle)
{
	struct inline_handle *h = (struct inline_handle *)handle;
	struct inline_brood *b = h->brood;

	pthread_mutex_lock(&b->lock);
	handle_drop(h);
	pthread_mutex_unlock(&b->lock);
}

int inline_cancel(struct brood *brood, uint64_t id)
{
	struct inline_brood *b = mine(brood);
	int r = inline_check_open(b, "brood_cancel");

	if (r < 0)
		return r;
	r = inline_fail(-ENOENT, "brood_cancel", "no such job is out");
	pthread_mutex_lock(&b->lock);
	list_for_each_safe(link, next, &b->running)
		if (container_of(link, struct run, link)->verdict.id == id)
			r = 0; /* the wish: nobody here can end it */
	pthread_mutex_unlock(&b->lock);
	return r;
}

int inline_fd(struct brood *b)
{
	int r = inline_check_open(mine(b), "brood_fd");

	return r < 0 ? r : mine(b)->news_fd;
}

int inline_dispatch(struct brood *brood)
{
	struct inline_brood *b = mine(brood);
	int r;

	pthread_mutex_lock(&b->lock);
	r = (int)b->news;
	b->news = 0;
	pthread_mutex_unlock(&b->lock);
	r += queue_deliver(b->own); /* also what came in the stop */
	return inline_check_open(b, "brood_dispatch") < 0 ? -ESHUTDOWN : r;
}

/* ---- The rest ---- */

int inline_wait_ready(struct brood *b) { return inline_check_open(mine(b), "brood_wait_ready"); }

/* Under the lock: what still runs is lost; its thread goes on, and what it brings is dropped. */
static int give_up(struct inline_brood *b)
{
	int r = 0;

	list_for_each_safe(link, next, &b->running) {
		struct inline_handle *h = container_of(link, struct run, link)->handle;

		r = -ETIMEDOUT;
		if (!h || h->closed)
			continue;
		h->verdict.outcome = BROOD_LOST;
		h->verdict.detail = BROOD_DETAIL_STOP_TIME;
		handle_close(h, &h->verdict);
	}
	pthread_cond_broadcast(&b->changed);
	return r;
}

static void init_free(struct inline_brood *b)
{
	init_data_set(NULL);
	while (b->init) {
		struct init_version *older = b->init->older;

		for (size_t i = 0; i < b->init->data.fds_count; i++)
			close_fd(b->init->fds[i]);
		free(b->init);
		b->init = older;
	}
}

int inline_stop(struct brood *brood)
{
	NO_CANCELLATION;
	struct inline_brood *b = mine(brood);
	const struct brood_options *o = b->options;
	struct timespec end;
	int r = inline_check_open(b, "brood_stop"), waited = 0;

	if (r < 0)
		return r;
	end = inline_deadline(
		(uint32_t)MIN((uint64_t)o->drain_ms + o->stop_ms + 1000, (uint64_t)BROOD_FOREVER));
	pthread_mutex_lock(&b->lock);
	b->stopped = true;
	while (b->stats.busy > 0 && waited == 0)
		waited = pthread_cond_timedwait(&b->changed, &b->lock, &end);
	r = give_up(b);
	pthread_mutex_unlock(&b->lock);
	if (o->worker_exit)
		o->worker_exit(o->hook_context);
	if (r == 0) {
		init_free(b);
		b->news_fd = close_fd(b->news_fd);
	}
	return r < 0
		? inline_fail(r, "brood_stop", "jobs were still running; their verdict is lost")
		: 0;
}

static struct init_version *init_new(
	const void *data, size_t size, const int *fds, size_t fds_count)
{
	struct init_version *v = calloc(1, sizeof *v + size + 1);

	if (!v)
		return NULL;
	if (size > 0)
		memcpy(v->bytes, data, size);
	for (size_t i = 0; i < fds_count; i++) {
		v->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (v->fds[i] < 0) {
			while (i > 0)
				close_fd(v->fds[--i]);
			free(v);
			return NULL;
		}
	}
	v->data = (struct brood_init_data){ .size = sizeof v->data,
		.data = v->bytes,
		.data_size = size,
		.fds = v->fds,
		.fds_count = fds_count };
	return v;
}

int inline_set_init_data(
	struct brood *brood, const void *data, size_t size, const int *fds, size_t fds_count)
{
	struct inline_brood *b = mine(brood);
	struct init_version *v;
	int r = inline_check_open(b, "brood_set_init_data");

	if (r < 0)
		return r;
	if ((size > 0 && !data) || (fds_count > 0 && !fds))
		return inline_fail(-EINVAL, "brood_set_init_data",
			"data or fds is NULL, but its count is not 0");
	if (fds_count > BROOD_INIT_FDS_MAX || size > (size_t)1 << 30)
		return inline_fail(
			-E2BIG, "brood_set_init_data", "at most BROOD_INIT_FDS_MAX fds and 1 GiB");
	v = init_new(data, size, fds, fds_count);
	if (!v) {
		r = errno ? -errno : -ENOMEM;
		return inline_fail(
			r, "brood_set_init_data", "no memory, or an fd could not be copied");
	}
	/* Former versions stay: a job may use them, "the worker's for life". */
	pthread_mutex_lock(&b->lock);
	v->older = b->init;
	v->data.version = b->init ? b->init->data.version + 1 : 1;
	b->init = v;
	r = (int)v->data.version;
	init_data_set(&v->data);
	pthread_mutex_unlock(&b->lock);
	return r;
}

/* In inline mode the program is its own main process: it may talk to systemd itself. */
int inline_notify(struct brood *b) { return inline_check_open(mine(b), "brood_notify"); }

int inline_stats(struct brood *brood, struct brood_stats *ret)
{
	struct inline_brood *b = mine(brood);

	if (!ret)
		return inline_fail(-EINVAL, "brood_stats", "ret_stats is NULL");
	pthread_mutex_lock(&b->lock);
	*ret = b->stats;
	pthread_mutex_unlock(&b->lock);
	ret->size = sizeof *ret;
	ret->workers = ret->ready = 1;
	ret->idle = ret->busy == 0;
	return 0;
}
