/* SPDX-License-Identifier: MIT */
/*
 * job_message.c - a handed-off job on its way to the supervisor: JOB and CANCEL, and what stands
 * against it.
 */
#include "job_message.h"

#include "fail.h"
#include "given.h"
#include "out.h"
#include "job_record.h"
#include "engine_root.h"
#include "wait.h"

#include "../os/fds.h"
#include "../wire/frame.h"

static size_t jobs_room(const struct brood *b)
{
	return (size_t)b->options.workers + b->options.backlog;
}

static int fail_full(const struct brood *b)
{
	return fail_with(-EAGAIN,
		"%zu jobs are out, as many as the pool has room for (workers + backlog): wait for "
		"a verdict, or raise options.backlog",
		jobs_room(b));
}

int job_message_full(struct brood *b)
{
	size_t out = atomic_load_explicit(&b->out_count, memory_order_relaxed),
	       leases = atomic_load_explicit(&b->leases_out, memory_order_relaxed);

	return out >= jobs_room(b) + leases ? fail_full(b) : 0;
}

int job_message_refused(struct brood *b, int error)
{
	if (error != -EAGAIN && error != -EFAULT)
		return error;
	engine_lock(b);
	b->refused++;
	engine_unlock(b);
	return error;
}

void job_message_handle(struct brood_handle *handle, struct brood *b, const struct given *given)
{
	memset(handle, 0, sizeof *handle);
	handle->brood = b;
	handle->given_ns = given->given_ns;
	handle->on_progress = given->options.on_progress;
	handle->progress_context = given->options.context;
	list_init(&handle->calls);
	list_init(&handle->inbox);
	list_init(&handle->progress);
	given_name(handle->name, given_text(given));
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
	given_name(m->name, given_text(given));
	f->fds[f->fds_count++] = given->fd;
	for (size_t i = 0; i < o->fds_count; i++)
		f->fds[f->fds_count++] = o->fds[i];
	return given->arg_size ? frame_append(f, given->arg, given->arg_size) : 0;
}

int job_message_send(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	struct frame f;
	uint64_t id = given->id;
	int r;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	if (b->lost)
		return fail_gone();
	r = job_message_full(b);
	if (r < 0)
		return r;
	r = id ? job_record_claim_as(b, handle, id) : job_record_claim(b, handle, &id);
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
		job_record_unclaim(b, id);
		return out_failed(b, r, "giving a job to the supervisor");
	}
	if (handle)
		handle->id = id;
	if (!given->attempt)
		b->submitted++;
	return r;
}

int job_message_cancel(struct brood *b, struct record *record)
{
	struct frame f;
	int r;

	if (record->cancel_sent)
		return 0;
	frame_begin(&f, MESSAGE_CANCEL);
	f.cancel.id = record->id;
	r = out_send(b, &f, 0, 0);
	if (r < 0)
		return out_failed(b, r, "cancelling a job");
	record->cancel_sent = true;
	if (r == 1)
		wait_for_room(b);
	return 0;
}
