/* SPDX-License-Identifier: MIT */
/* call.c - request in, reply out: brood_call(), by a lease or by handoff. */
#include "call_handoff.h"
#include "deliver.h"
#include "engine.h"
#include "fail.h"
#include "given.h"
#include "job_message.h"
#include "path.h"
#include "place.h"
#include "queue.h"
#include "queue_job.h"
#include "queue_jobs.h"
#include "engine_root.h"
#include "sleep.h"

#include "../base/base.h"
#include "../os/fds.h"
#include "../wire/frame.h"
#include <limits.h>
#include <sys/uio.h>

static void take_fds(const struct given *given, struct queue_job *job)
{
	const struct brood_job_options *o = &given->options;
	size_t count = job->result.fds_count, kept = o->ret_fds ? MIN(count, o->ret_fds_room) : 0;

	for (size_t i = 0; i < kept; i++) {
		o->ret_fds[i] = job->result.fds[i];
		job->result.fds[i] = -1;
	}
	if (o->ret_fds_count)
		*o->ret_fds_count = kept;
}

static ssize_t result(const struct queue_job *job, const struct engine_bytes *bytes)
{
	const struct brood_verdict *v = &job->result.verdict;
	bool ended = v->outcome == BROOD_DONE || v->outcome == BROOD_FAILED;
	int r = ended ? 0 : fail_verdict(v);

	if (r < 0)
		return v->detail == BROOD_DETAIL_LEASE_OVER ? path_lease_over() : r;
	if (job->reply.lost)
		return fail_system(-ENOMEM, "the reply of a call");
	if (job->result.reply_size > bytes->reply_size)
		return fail_with(-EMSGSIZE,
			"job %llu %s: its reply has %zu bytes, the caller's buffer %zu: the first "
			"of them are there",
			(unsigned long long)v->id, v->name, job->result.reply_size,
			bytes->reply_size);
	return (ssize_t)job->result.reply_size;
}

static int call_on(struct queue *l, const struct given *given, const struct engine_bytes *bytes,
	struct queue_job *job)
{
	int r;

	job->call.waited = true;
	l->jobs.others++;
	job->tell.on_done = NULL;
	job->call.room = bytes->reply;
	job->call.room_size = bytes->reply_size;
	r = place_give(l, job, given);
	if (r == -EAGAIN)
		return path_full(l);
	if (r < 0)
		return fail_system(r, "what a call needs");
	l->stats.submitted++;
	while (job->state != JOB_CLOSED) {
		if (l->kind == QUEUE_CALLERS)
			sleep_caller(l, job);
		else
			sleep_until(l, &job->call.sleeper, TIME_NEVER);
		if (!list_empty(&job->tell.progress))
			deliver_progress(l, job);
	}
	if (!list_empty(&job->tell.progress))
		deliver_progress(l, job);
	return 0;
}

static int call_lease(struct brood *b, const struct given *given, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict, ssize_t *ret_result)
{
	struct queue *l;
	struct queue_job *job = NULL;
	int r;

	r = path_enter(b, given, true, &l);
	if (r != 0)
		return r;
	r = queue_jobs_new(l, given, &job);
	if (r < 0)
		r = fail_system(r, "a job's record");
	if (r == 0) {
		if (given->options.ret_id)
			__atomic_store_n(given->options.ret_id, job->id, __ATOMIC_RELEASE);
		ret_verdict->id = job->id;
		r = call_on(l, given, bytes, job);
		if (r == 0) {
			take_fds(given, job);
			*ret_result = result(job, bytes);
			*ret_verdict = job->result.verdict;
		}
		queue_jobs_free(l, job);
	}
	sleep_leave(l);
	return r;
}

static int call_check(struct call *call, const struct engine_job *job)
{
	const struct engine_bytes *bytes = call->bytes;

	if ((bytes->request_size && !bytes->request) || (bytes->reply_size && !bytes->reply))
		return fail_with(-EINVAL, "brood_call: a size is not 0 but its pointer is NULL");
	if (bytes->request_size > SSIZE_MAX || bytes->reply_size > SSIZE_MAX)
		return fail_with(-EINVAL, "brood_call: a size is larger than memory can be");
	return given_check(call->b, job, call->b->options.queue_ms, &call->given);
}

/*
 * from: what call_lease() returned, or the error with which the options were refused. 1 asks first
 * whether the pool has room for one more job. Returns a negative errno only without a verdict.
 */
static int call_by_handoff(struct call *call, int from, ssize_t *ret_result)
{
	struct brood *b = call->b;
	uint64_t told = call->handle.verdict.id;
	int r = from;

	job_message_handle(&call->handle, b, &call->given);
	call->handle.public_id = told;
	if (r == 1)
		r = job_message_full(b);
	if (r >= 0)
		r = call_handoff_run(call);
	if (r == -EINVAL || r == -ESHUTDOWN)
		return r;
	if (r < 0) {
		*ret_result = job_message_refused(b, r);
		call_handoff_refused(call, r);
		given_name(call->handle.verdict.name, given_text(&call->given));
	} else {
		*ret_result = call_handoff_result(call);
		call_handoff_fds(call);
	}
	return 0;
}

ssize_t engine_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict)
{
	VISIT(visit);
	const struct iovec request = { .iov_base = (void *)(uintptr_t)bytes->request,
		.iov_len = bytes->request_size };
	struct call call;
	ssize_t result = 0;
	int r;

	r = visit_begin(&visit, b);
	if (r < 0)
		return r;
	call.b = b;
	call.bytes = bytes;
	r = call_check(&call, job);
	if (r == -EINVAL)
		return r;
	call.given.request = &request;
	call.given.request_count = 1;
	call.given.request_size = bytes->request_size;
	call.handle.verdict.id = 0;
	if (r >= 0)
		r = call_lease(b, &call.given, bytes, &call.handle.verdict, &result);
	if (r == 0) {
		if (ret_verdict)
			*ret_verdict = call.handle.verdict;
		return result;
	}
	r = call_by_handoff(&call, r, &result);
	if (r < 0)
		return r;
	if (ret_verdict)
		*ret_verdict = call.handle.verdict;
	return result;
}
