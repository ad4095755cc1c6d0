/* SPDX-License-Identifier: MIT */
/*
 * job.c - giving a job: what open, give and call have in common, then open and give.
 */
#include "internal.h"

#include "../base/options.h"
#include "../os/text.h"
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool all_zero(const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i])
			return false;
	return true;
}

static int options_check(const struct brood_job_options *o)
{
	if (o->flags &
		~(uint32_t)(BROOD_JOB_ONCE | BROOD_JOB_ABORT | BROOD_JOB_TRUSTED | BROOD_JOB_MORE))
		return engine_fail(-EINVAL,
			"job options: flags %#x has bits that this library does not know",
			o->flags);
	if (o->arg_size > BROOD_ARG_MAX)
		return engine_fail(-EINVAL,
			"job options: arg_size %zu is above BROOD_ARG_MAX (%d): send it as the "
			"request",
			o->arg_size, BROOD_ARG_MAX);
	if (o->arg_size && !o->arg)
		return engine_fail(
			-EINVAL, "job options: arg_size is %zu but arg is NULL", o->arg_size);
	if (o->dispatch > BROOD_PATH_LEASE)
		return engine_fail(-EINVAL, "job options: dispatch is %u: one of enum brood_path",
			o->dispatch);
	if (o->fds_count > BROOD_JOB_FDS_MAX || (o->fds_count && !o->fds))
		return engine_fail(-EINVAL, "job options: fds_count is %u: at most %d, with fds",
			o->fds_count, BROOD_JOB_FDS_MAX);
	if (!all_zero(o->reserved, ARRAY_SIZE(o->reserved)))
		return engine_fail(-EINVAL,
			"job options: reserved fields must be zero: initialise the struct with { "
			".size = sizeof options }");
	return 0;
}

static void options_resolve(const struct brood *b, uint32_t queue_ms, struct brood_job_options *o)
{
	if (!o->queue_ms)
		o->queue_ms = queue_ms;
	if (!o->run_ms)
		o->run_ms = b->options.run_ms;
	if (!o->grace_ms)
		o->grace_ms = b->options.grace_ms;
	if (!o->dispatch)
		o->dispatch = o->lease ? BROOD_PATH_LEASE : b->options.dispatch;
}

/* The job is another object's function: the argument, then "path\0symbol\0". */
static int plugin_check(struct given *given)
{
	const struct brood_job_options *o = &given->options;
	size_t path, symbol;

	if (given->job->fn)
		return engine_fail(-EINVAL,
			"job options: a plugin's job has no function of its own: fn must be NULL");
	if (!o->plugin || !o->symbol || o->plugin[0] != '/' || !o->symbol[0])
		return engine_fail(-EINVAL,
			"job options: plugin is an absolute path, and symbol the function's name; "
			"both or none");
	path = strnlen(o->plugin, BROOD_ARG_MAX) + 1;
	symbol = strnlen(o->symbol, BROOD_ARG_MAX) + 1;
	if (o->arg_size + path + symbol > BROOD_ARG_MAX)
		return engine_fail(-EINVAL,
			"job options: arg, plugin and symbol together are above BROOD_ARG_MAX (%d)",
			BROOD_ARG_MAX);
	memcpy(given->text, o->arg ? o->arg : "", o->arg_size);
	memcpy(given->text + o->arg_size, o->plugin, path);
	memcpy(given->text + o->arg_size + path, o->symbol, symbol);
	given->arg = given->text;
	given->plugin_size = (uint32_t)(path + symbol);
	given->arg_size += given->plugin_size;
	return 0;
}

static int function_check(const struct engine_job *job)
{
	if (text_callable((const void *)(uintptr_t)job->fn))
		return 0;
	return engine_fail(-EFAULT,
		"job %s: %p is not a function that workers have: it must lie in the program or in "
		"a library that was loaded at brood_start() and still is; code that was loaded or "
		"made later, or lies in anonymous memory (a JIT, a trampoline), cannot be called",
		job->name ? job->name : "?", (void *)(uintptr_t)job->fn);
}

int job_request(struct given *given, const struct iovec *request, size_t count)
{
	uint64_t size = 0;

	if (count > 1024)
		return engine_fail(-EINVAL, "a request in %zu pieces: at most 1024", count);
	for (size_t i = 0; i < count; i++) {
		if (request[i].iov_len && !request[i].iov_base)
			return engine_fail(
				-EINVAL, "the request: a size is not 0 but its pointer is NULL");
		if (request[i].iov_len > SSIZE_MAX - size)
			return engine_fail(-EINVAL, "the request: larger than memory can be");
		size += request[i].iov_len;
	}
	given->request = request;
	given->request_count = count;
	given->request_size = size;
	return 0;
}

void job_name(char dst[BROOD_NAME_MAX], const char *name)
{
	size_t n = 0;

	memset(dst, 0, BROOD_NAME_MAX);
	for (; name && name[n] && n < BROOD_NAME_MAX - 1; n++)
		dst[n] = (unsigned char)name[n] < ' ' ? ' ' : name[n];
	if (!n)
		dst[0] = '?';
}

int job_check(
	const struct brood *b, const struct engine_job *job, uint32_t queue_ms, struct given *ret)
{
	struct brood_job_options *o = &ret->options;
	int r;

	r = options_copy(o, sizeof *o, job->options,
		offsetof(struct brood_job_options, ret_id) + sizeof o->ret_id);
	if (r < 0)
		return engine_fail(r,
			"job options: size is wrong, or a newer header's option is set: use { "
			".size = sizeof options }");
	r = options_check(o);
	if (r < 0)
		return r;
	options_resolve(b, queue_ms, o);
	ret->job = job;
	ret->request = NULL;
	ret->request_count = 0;
	ret->request_size = BROOD_SIZE_UNKNOWN;
	ret->given_ns = now_ns();
	ret->attempt = 0;
	ret->id = 0;
	ret->fd = -1;
	ret->own_pair = false;
	ret->arg = o->arg;
	ret->arg_size = (uint32_t)o->arg_size;
	ret->plugin_size = 0;
	return o->plugin || o->symbol ? plugin_check(ret) : function_check(job);
}

static size_t jobs_room(const struct brood *b)
{
	return (size_t)b->options.workers + b->options.backlog;
}

static int fail_full(const struct brood *b)
{
	return engine_fail(-EAGAIN,
		"%zu jobs are out, as many as the pool has room for (workers + backlog): wait for "
		"a verdict, or raise options.backlog",
		jobs_room(b));
}

int job_full(struct brood *b)
{
	size_t out = atomic_load_explicit(&b->out_count, memory_order_relaxed),
	       leases = atomic_load_explicit(&b->leases_out, memory_order_relaxed);

	return out >= jobs_room(b) + leases ? fail_full(b) : 0;
}

int job_refused(struct brood *b, int error)
{
	if (error != -EAGAIN && error != -EFAULT)
		return error;
	engine_lock(b);
	b->refused++;
	engine_unlock(b);
	return error;
}

void job_handle_init(struct brood_handle *handle, struct brood *b, const struct given *given)
{
	memset(handle, 0, sizeof *handle);
	handle->brood = b;
	handle->given_ns = given->given_ns;
	handle->on_progress = given->options.on_progress;
	handle->progress_context = given->options.context;
	list_init(&handle->calls);
	list_init(&handle->inbox);
	list_init(&handle->progress);
	job_name(handle->name, job_text(given));
}

static int job_frame(struct frame *f, const struct given *given, uint64_t id)
{
	const struct brood_job_options *o = &given->options;
	struct message_job *m = &frame_begin(f, MESSAGE_JOB)->job;

	m->id = id;
	m->fn = (uint64_t)(uintptr_t)given->job->fn;
	m->request_size = given->request_size;
	m->given_ns = given->given_ns;
	m->flags = o->flags;
	m->queue_ms = o->queue_ms;
	m->run_ms = o->run_ms;
	m->grace_ms = o->grace_ms;
	/* A call's request is here: only the library can send it again. */
	m->retries = given->request_size == BROOD_SIZE_UNKNOWN ? o->retries : 0;
	m->attempt = given->attempt;
	m->plugin_size = given->plugin_size;
	m->own_pair = given->own_pair;
	job_name(m->name, job_text(given));
	f->fds[f->fds_count++] = given->fd;
	for (size_t i = 0; i < o->fds_count; i++)
		f->fds[f->fds_count++] = o->fds[i];
	return given->arg_size ? frame_append(f, given->arg, given->arg_size) : 0;
}

int job_send(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	struct frame f;
	uint64_t id = given->id;
	int r;

	if (b->state != ENGINE_RUNNING)
		return engine_fail_stopped();
	if (b->lost)
		return engine_fail_gone();
	r = job_full(b);
	if (r < 0)
		return r;
	r = id ? record_claim_as(b, handle, id) : record_claim(b, handle, &id);
	if (r < 0)
		return r == -EEXIST ? r : fail_full(b);
	r = job_frame(&f, given, id);
	if (handle && !given->attempt)
		handle->public_id = id;
	if (given->options.ret_id && !given->attempt)
		__atomic_store_n(given->options.ret_id, id, __ATOMIC_RELEASE);
	if (r >= 0)
		r = out_send(b, &f, id, 1);
	if (r < 0) {
		record_unclaim(b, id);
		return out_failed(b, r, "giving a job to the supervisor");
	}
	if (handle)
		handle->id = id;
	if (!given->attempt)
		b->submitted++;
	return r;
}

static int job_hand_off(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	int r = job_full(b);

	if (r < 0)
		return r;
	engine_lock(b);
	r = job_send(b, given, handle);
	if (r == 1)
		out_patience(b);
	engine_unlock(b);
	return r;
}

/*
 * Sends the job and closes the fd when the supervisor has it. On failure the fd is still the
 * caller's.
 */
static int job_give(struct brood *b, const struct given *given, struct brood_handle **ret_handle)
{
	struct brood_handle *handle = NULL;
	int r;

	if (ret_handle) {
		handle = malloc(sizeof *handle);
		if (!handle)
			return engine_fail_system(-ENOMEM, "a job's handle");
		job_handle_init(handle, b, given);
		handle->on_progress = NULL; /* nobody would tell it */
	}
	r = direct_give(b, given, handle);
	if (r == 0) {
		r = 1; /* the fd is the library's */
	} else if (r == 1) {
		r = job_hand_off(b, given, handle);
		if (r >= 0)
			direct_given(b, given);
	}
	if (r < 0) {
		free(handle);
		return job_refused(b, r);
	}
	if (r == 0)
		close_fd(given->fd);
	if (ret_handle)
		*ret_handle = handle;
	return 0;
}

int engine_open(struct brood *b, const struct engine_job *job, int *ret_fd,
	struct brood_handle **ret_handle)
{
	VISIT(visit);
	struct given given;
	int fds[2], r;

	r = visit_begin(&visit, b);
	if (r < 0)
		return r;
	if (!ret_fd)
		return engine_fail(
			-EINVAL, "brood_open: ret_fd is NULL, nobody could talk to the job");
	r = job_check(b, job, b->options.queue_ms, &given);
	if (r < 0)
		return job_refused(b, r);
	r = sockets_pair(SOCK_STREAM, fds);
	if (r < 0)
		return engine_fail_system(r, "a job's socket pair");
	given.fd = fds[1];
	given.own_pair = true;
	r = job_give(b, &given, ret_handle);
	if (r < 0) {
		close_fd(fds[0]);
		close_fd(fds[1]);
		return r;
	}
	*ret_fd = fds[0];
	return 0;
}

static int give_check(int fd)
{
	int r = sockets_is_stream_socket(fd);

	switch (r) {
	case 0:
	/* a client that has gone already: the job reads that, and it is no business of ours */
	case -ENOTCONN: return 0;
	case -EBADF: return engine_fail(r, "brood_give: fd %d is not open", fd);
	case -EPROTOTYPE:
		return engine_fail(r,
			"brood_give: fd %d is not a connected stream socket (is it a listening or "
			"a datagram socket?)",
			fd);
	default: return engine_fail(r, "brood_give: fd %d is no socket", fd);
	}
}

int engine_give(
	struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle)
{
	VISIT(visit);
	struct given given;
	int r;

	r = visit_begin(&visit, b);
	if (r < 0)
		return r;
	r = give_check(fd);
	if (r < 0)
		return r;
	r = job_check(b, job, b->options.queue_ms, &given);
	if (r < 0)
		return job_refused(b, r);
	given.fd = fd;
	return job_give(b, &given, ret_handle);
}
