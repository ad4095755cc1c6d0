/* SPDX-License-Identifier: MIT */
/*
 * inline_run.c - inline mode: one job, from its options to its verdict.
 *
 * A job of bytes runs in the calling thread while a helper thread moves the bytes: it may reply
 * before it has read all, and neither fits a socket's buffer. So its request and reply are those of
 * a handoff.
 */
#define _GNU_SOURCE
#include "inline_internal.h"

#include "../base/options.h"
#include "../os/fds.h"
#include "../os/sockets.h"
#include "../os/text.h"
#include "../worker/job_inline.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* A static program need not have them: then such jobs are refused. */
#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlerror

#define JOB_FLAGS_KNOWN \
	(uint32_t)(BROOD_JOB_ONCE | BROOD_JOB_ABORT | BROOD_JOB_TRUSTED | BROOD_JOB_MORE)

/* ---- Its options ---- */

static int check_plugin(const struct brood_job_options *o, brood_fn *fn, const char *call)
{
	if (!o->plugin && !o->symbol)
		return 0;
	if (fn)
		return inline_fail(
			-EINVAL, call, "options.plugin is set, and fn is not NULL: one of the two");
	if (!o->plugin || !o->symbol || o->plugin[0] != '/' || !o->symbol[0])
		return inline_fail(-EINVAL, call,
			"options.plugin must be an absolute path, and options.symbol a name in it");
	if (strlen(o->plugin) + strlen(o->symbol) + 2 > BROOD_ARG_MAX - o->arg_size)
		return inline_fail(-EINVAL, call,
			"options.plugin and symbol are longer than BROOD_ARG_MAX less arg_size");
	return 0;
}

static int check_options(const struct brood_job_options *o, brood_fn *fn, const char *call)
{
	if (o->flags & ~JOB_FLAGS_KNOWN)
		return inline_fail(
			-EINVAL, call, "options.flags has bits that this library does not know");
	if (o->arg_size > BROOD_ARG_MAX || (o->arg_size > 0 && !o->arg))
		return inline_fail(-EINVAL, call,
			"options.arg_size is more than BROOD_ARG_MAX, or arg is NULL: send larger "
			"arguments as the request");
	if (o->dispatch > BROOD_PATH_LEASE)
		return inline_fail(-EINVAL, call, "options.dispatch is none of enum brood_path");
	if (o->fds_count > BROOD_JOB_FDS_MAX || (o->fds_count > 0 && !o->fds))
		return inline_fail(-EINVAL, call,
			"options.fds_count is more than BROOD_JOB_FDS_MAX, or fds is NULL");
	if (!inline_all_zero(o->reserved, ARRAY_SIZE(o->reserved)))
		return inline_fail(-EINVAL, call,
			"options.reserved is not zero: initialise the struct with { .size = sizeof "
			"options }");
	return check_plugin(o, fn, call);
}

static int copy_fds(struct run *run, const char *call)
{
	for (size_t i = 0; i < run->options.fds_count; i++) {
		int fd = fcntl(run->options.fds[i], F_DUPFD_CLOEXEC, 3), r = -errno;

		if (fd < 0) {
			run_clear(run);
			return inline_fail(r, call, "one of options.fds could not be duplicated");
		}
		run->fds[run->fds_count++] = fd;
	}
	return 0;
}

static uint32_t path_of(const struct brood_job_options *o, const struct brood_options *pool)
{
	return o->lease ? BROOD_PATH_LEASE : o->dispatch ? o->dispatch : pool->dispatch;
}

static void verdict_init(struct run *run, const char *name)
{
	struct brood_verdict *v = &run->verdict;

	*v = (struct brood_verdict){
		.size = sizeof *v, .pid = getpid(), .generation = 1, .attempts = 1, .started = 1
	};
	v->path = path_of(&run->options, run->brood->options);
	snprintf(v->name, sizeof v->name, "%s",
		run->options.plugin ? run->options.symbol
			: name      ? name
				    : "");
}

/* The plugin stays open for good, as in a worker. */
static brood_fn *open_plugin(struct run *run)
{
	struct brood_log line = { .size = sizeof line,
		.level = BROOD_WARNING,
		.event = BROOD_EVENT_JOB_LOG,
		.pid = getpid(),
		.slot = UINT32_MAX };
	bool can = dlopen && dlsym && dlerror;
	void *plugin = can ? dlopen(run->options.plugin, RTLD_NOW | RTLD_LOCAL) : NULL;
	void *symbol = plugin ? dlsym(plugin, run->options.symbol) : NULL;

	if (!symbol) {
		line.text = can ? dlerror() : "plugin: this program cannot open shared objects";
		line.text = line.text ? line.text : "plugin: the symbol is NULL";
		inline_log(run->brood, &line);
	}
	return (brood_fn *)(uintptr_t)symbol;
}

int run_init(
	struct run *run, struct inline_brood *b, const struct engine_job *job, const char *call)
{
	struct brood_job_options *o = &run->options;
	int r = inline_check_open(b, call);

	memset(run, 0, sizeof *run);
	list_init(&run->link);
	run->brood = b;
	run->fd = -1;
	run->request_size = BROOD_SIZE_UNKNOWN;
	if (r < 0)
		return r;
	if (options_copy(o, sizeof *o, job->options, offsetof(struct brood_job_options, dispatch)) <
		0)
		return inline_fail(
			-EINVAL, call, "options.size is wrong: set it, { .size = sizeof options }");
	r = check_options(o, job->fn, call);
	if (r < 0)
		return r;
	if (o->arg_size > 0)
		memcpy(run->arg, o->arg, o->arg_size);
	verdict_init(run, job->name);
	run->fn = o->plugin ? open_plugin(run) : job->fn;
	if (!o->plugin && !text_callable((const void *)job->fn))
		return inline_fail(-EFAULT, call,
			"fn does not lie in the program or in a library that was loaded at "
			"brood_start() and still is");
	return copy_fds(run, call);
}

int run_new(struct inline_brood *b, const struct engine_job *job, const char *call,
	bool with_handle, struct run **ret_run)
{
	struct run *run = aligned_alloc(_Alignof(struct run), sizeof *run);
	int r;

	if (!run)
		return inline_fail(-ENOMEM, call, "out of memory");
	r = run_init(run, b, job, call);
	if (r < 0) {
		free(run);
		return r;
	}
	if (with_handle) {
		run->handle = calloc(1, sizeof *run->handle);
		if (!run->handle) {
			run_free(run);
			return inline_fail(-ENOMEM, call, "out of memory");
		}
		*run->handle = (struct inline_handle){ .brood = b, .holders = 2 };
	}
	*ret_run = run;
	return 0;
}

static void run_clear_given(struct run *run)
{
	while (run->fds_count > 0)
		close_fd(run->fds[--run->fds_count]);
}

void run_clear(struct run *run)
{
	run_clear_given(run);
	while (run->back_count > 0)
		close_fd(run->back[--run->back_count]);
}

void run_free(struct run *run)
{
	run_clear(run);
	free(run->handle);
	free(run);
}

/* ---- Its life ---- */

void run_accept(struct run *run)
{
	struct inline_brood *b = run->brood;

	pthread_mutex_lock(&b->lock);
	run->verdict.id = ++b->last_id;
	if (run->options.ret_id)
		__atomic_store_n(run->options.ret_id, run->verdict.id, __ATOMIC_RELEASE);
	b->stats.submitted++;
	b->stats.busy++;
	if (run->handle)
		run->handle->verdict = run->verdict;
	list_append(&run->link, &b->running);
	pthread_mutex_unlock(&b->lock);
}

void run_unaccept(struct run *run)
{
	struct inline_brood *b = run->brood;

	pthread_mutex_lock(&b->lock);
	list_remove(&run->link);
	b->stats.busy--;
	b->stats.submitted--;
	pthread_mutex_unlock(&b->lock);
}

void handle_drop(struct inline_handle *h)
{
	if (--h->holders == 0)
		free(h);
}

void handle_close(struct inline_handle *h, const struct brood_verdict *verdict)
{
	struct inline_brood *b = h->brood;

	h->verdict = *verdict;
	h->closed = true;
	b->stats.verdicts[verdict->outcome]++;
	b->news++;
	eventfd_write(b->news_fd, 1);
}

void run_finish(struct run *run)
{
	struct inline_brood *b = run->brood;

	pthread_mutex_lock(&b->lock);
	list_remove(&run->link);
	b->stats.busy--;
	if (!run->handle)
		b->stats.verdicts[run->verdict.outcome]++;
	else if (!run->handle->closed)
		handle_close(run->handle, &run->verdict);
	if (run->handle && run->handle->holders == 1)
		b->stats.dropped++;
	if (run->handle)
		handle_drop(run->handle);
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static uint64_t thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / NS_PER_US;
}

static void call_fn(struct run *run, bool *ret_took)
{
	struct job_inline job = {
		.fd = run->fd,
		.id = run->verdict.id,
		.request_size = run->request_size,
		.arg = run->arg,
		.arg_size = run->options.arg_size,
		.name = run->verdict.name,
		.log = inline_log,
		.log_context = run->brood,
		.fds = run->fds,
		.fds_count = run->fds_count,
		.progress = run->progress,
		.progress_context = run->progress_context,
		.ret_fds = run->bytes ? run->back : NULL,
		.ret_fds_count = run->bytes ? &run->back_count : NULL,
	};
	uint64_t began = now_ns(), cpu = thread_cpu_us();

	run->fds_count = 0; /* the extra fds are the job's from here on: not ours to close */
	run->verdict.code = job_inline_run(run->fn, &job, ret_took);
	run->verdict.outcome = run->verdict.code ? BROOD_FAILED : BROOD_DONE;
	run->verdict.run_us = (now_ns() - began) / NS_PER_US;
	if (run->brood->options->flags & BROOD_ACCOUNT_CPU)
		run->verdict.cpu_us = thread_cpu_us() - cpu;
}

static void refuse(struct run *run, enum brood_detail detail)
{
	run->verdict.outcome = BROOD_REFUSED;
	run->verdict.detail = detail;
	run->verdict.started = 0;
}

/* The job may have closed its socket: then the number is somebody else's. */
bool run_now(struct run *run)
{
	struct identity fd = { 0 };
	bool took = false;

	if (identity_get(run->fd, &fd) < 0)
		fd = (struct identity){ 0 };
	if (run->fn)
		call_fn(run, &took);
	else
		refuse(run, BROOD_DETAIL_PLUGIN);
	if (!took && identity_is(run->fd, &fd)) {
		shutdown(run->fd, SHUT_RDWR);
		close_fd(run->fd);
	}
	run_clear_given(run); /* what a job that did not run has left */
	run->fd = -1;
	return took;
}

/* ---- Its bytes ---- */

struct pump {
	int fd;
	struct run_bytes *bytes;
	size_t piece, at, left, received;
	bool failed;
};

static bool pump_room(struct pump *p)
{
	struct run_bytes *b = p->bytes;
	size_t want = b->room ? 2 * b->room : 4096;
	char *larger;

	if (!b->grow || p->received < b->room || p->failed)
		return p->received < b->room;
	larger = realloc(b->reply, want);
	p->failed = !larger;
	if (larger) {
		b->reply = larger;
		b->room = want;
	}
	return larger != NULL;
}

static bool pump_read(struct pump *p)
{
	char spill[16384];
	bool room = pump_room(p);
	ssize_t n = room ? recv(p->fd, p->bytes->reply + p->received, p->bytes->room - p->received,
				   MSG_DONTWAIT)
			 : recv(p->fd, spill, sizeof spill, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->received += (size_t)n;
	return n > 0;
}

/* What the job does not want to read is no error. */
static void pump_write(struct pump *p)
{
	const struct iovec *piece;
	ssize_t n;

	while (p->at == p->bytes->request[p->piece].iov_len) {
		p->piece++;
		p->at = 0;
	}
	piece = &p->bytes->request[p->piece];
	n = send(p->fd, (const char *)piece->iov_base + p->at, piece->iov_len - p->at,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	p->at += n < 0 ? 0 : (size_t)n;
	p->left = n < 0 ? 0 : p->left - (size_t)n;
	if (p->left == 0)
		shutdown(p->fd, SHUT_WR);
}

/* Until the reply's end: then nobody waits for the rest of the request either. */
static void *pump_main(void *arg)
{
	struct pump *p = arg;
	struct pollfd poll_fd = { .fd = p->fd };

	if (p->left == 0)
		shutdown(p->fd, SHUT_WR);
	for (;;) {
		poll_fd.events = (short)(POLLIN | (p->left > 0 ? POLLOUT : 0));
		if (poll(&poll_fd, 1, -1) < 0)
			continue;
		if (p->left > 0 && (poll_fd.revents & (POLLOUT | POLLHUP | POLLERR)))
			pump_write(p);
		if ((poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) && !pump_read(p))
			return NULL;
	}
}

int run_bytes(struct run *run, struct run_bytes *bytes, const char *call, uint64_t *ret_id)
{
	struct pump pump = { .bytes = bytes, .left = bytes->request_size };
	pthread_t thread;
	int pair[2], r = sockets_pair(SOCK_STREAM, pair);

	if (r < 0)
		return inline_fail(r, call, "no socketpair could be made");
	pump.fd = pair[0];
	run->fd = pair[1];
	run->request_size = bytes->request_size;
	run->bytes = true;
	r = inline_thread(&thread, pump_main, &pump);
	if (r < 0) {
		close_fd(pair[0]);
		close_fd(pair[1]);
		return inline_fail(r, call, "no thread could be started");
	}
	run_accept(run);
	if (ret_id)
		*ret_id = run->verdict.id;
	if (run_now(run))
		/* taken over: no end will come by itself. What is there is read before the end */
		shutdown(pair[0], SHUT_RD);
	pthread_join(thread, NULL);
	close_fd(pair[0]);
	run->verdict.reply_size = pump.received;
	return 0;
}
