/* SPDX-License-Identifier: MIT */
/*
 * call.c - request in, reply out: brood_call(), by a lease or by handoff.
 *
 * By handoff a small request travels in the message JOB, and a small reply in VERDICT. A large
 * request travels on a socket pair of the call's own; and so does a reply, if it is large, or if
 * the job asks for its socket. One poll() waits for socket and channel (wait.c). Retries are made
 * here and not in the supervisor: the request is here. Each attempt is a job of its own on the
 * wire, with a new socket pair and the request from its beginning; what an earlier attempt replied
 * is overwritten. For the caller it is one job: the id is that of the first attempt, and
 * brood_cancel() by that id reaches whichever attempt runs.
 */
#include "deliver.h"
#include "engine_root.h"
#include "job_files.h"
#include "job_message.h"
#include "loan.h"
#include "path.h"
#include "place.h"
#include "queue_jobs.h"
#include "reply.h"
#include "ring_in.h"
#include "sleep.h"
#include "wait.h"

#include <limits.h>
#include <stdlib.h>

struct call {
	struct brood *b;
	struct given given;
	struct engine_bytes bytes;
	struct brood_handle handle;
	struct transfer transfer;
	struct tries tries;
};

/* Fds of the reply that the caller has room for become the caller's. Their places become -1. */
static void give_fds(const struct brood_job_options *o, int *fds, size_t count)
{
	size_t kept = o->ret_fds ? MIN(count, o->ret_fds_room) : 0;

	for (size_t i = 0; i < kept; i++) {
		o->ret_fds[i] = fds[i];
		fds[i] = -1;
	}
	if (o->ret_fds_count)
		*o->ret_fds_count = kept;
}

/* spoilt: the -errno with which moving the request's or the reply's bytes failed, or 0. */
static ssize_t result(
	const struct call *call, const struct brood_verdict *v, size_t size, int spoilt)
{
	size_t room = call->bytes.reply_size;
	bool ended = v->outcome == BROOD_DONE || v->outcome == BROOD_FAILED;
	int r = ended ? 0 : fail_verdict(v, given_tag(&call->given));

	if (r < 0)
		return v->detail == BROOD_DETAIL_LEASE_OVER ? path_lease_over() : r;
	if (spoilt == -ENOMEM)
		return fail_with(spoilt,
			"job %llu %s: it has run, but its worker or the engine had no memory or "
			"descriptor for the reply",
			(unsigned long long)v->id, v->name);
	if (spoilt)
		return fail_system(spoilt, "the request or the reply of a call");
	if (size > room && !call->given.options.ret_reply)
		return fail_with(-EMSGSIZE,
			"job %llu %s: its reply has %zu bytes, the caller's buffer %zu: the first "
			"of them are there",
			(unsigned long long)v->id, v->name, size, room);
	return (ssize_t)size;
}

/* Gives the job to a worker and waits for its verdict. `job` is freed when this returns. */
static int call_on(
	struct queue *l, const struct given *given, struct queue_job *job, struct queue_call *call)
{
	int r;

	job->call = call;
	l->jobs.others++;
	job->tell.on_done = NULL;
	r = ring_in_alone(l, job, given) ? 0 : place_give(l, job, given);
	if (r < 0) {
		queue_jobs_free(l, job);
		return r == -EAGAIN ? path_full(l) : fail_system(r, "what a call needs");
	}
	QUEUE_COUNT(l, given->pool, submitted, submitted);
	for (;;) {
		if (!list_empty(&call->progress.list))
			deliver_progress(l, &call->progress);
		if (call->closed)
			return 0;
		if (l->kind == QUEUE_CALLERS)
			sleep_caller(l, job);
		else
			sleep_until(l, &call->sleeper, TIME_NEVER);
	}
}

/* The call has its verdict: hands the reply's fds, and the result, to the caller. */
static ssize_t call_over(const struct call *call, struct queue_call *of)
{
	if (of->in_place &&
		reply_give(&of->memory, of->reply_size, call->given.options.ret_reply) < 0)
		of->lost = true;
	give_fds(&call->given.options, of->fds ? of->fds->fds : NULL, of->fds ? of->fds->count : 0);
	if (of->fds)
		queue_jobs_fds_free(of->fds);
	return result(call, of->verdict, of->reply_size, of->lost ? -ENOMEM : 0);
}

/*
 * The way of most calls, where path.c has nothing to choose: this thread calls often and has a
 * queue, that queue's worker is idle, and there is no crowd of threads (path.c). True: *ret is
 * locked.
 */
static bool enter_own(struct brood *b, const struct given *given, struct queue **ret)
{
	struct path_thread *t = &path_thread;
	struct queue *l = t->queue;

	if (!l || given->pool != b->pools || given->options.lease ||
		given->options.dispatch == BROOD_PATH_HANDOFF ||
		given->given_ns - t->since > PATH_OFTEN_NS || t->calls < PATH_OFTEN ||
		atomic_load_explicit(&b->crowd_until, memory_order_relaxed) != 0 ||
		atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return false;
	queue_lock(l);
	if (atomic_load_explicit(&l->inbox.full, memory_order_acquire) || l->waiting.count > 0 ||
		!ring_in_idle(l)) {
		queue_unlock(l);
		return false;
	}
	t->calls++;
	t->lacked = 0;
	*ret = l;
	return true;
}

static int call_lease(struct call *call, ssize_t *ret_result)
{
	struct brood *b = call->b;
	const struct given *given = &call->given;
	struct queue_call of = { .room = call->bytes.reply,
		.room_size = call->bytes.reply_size,
		.in_place = given->options.ret_reply,
		.verdict = &call->handle.verdict };
	struct queue_job *job;
	struct queue *l;
	int r;

	r = enter_own(b, given, &l) ? 0 : path_enter(b, given, true, &l);
	if (r != 0)
		return r;
	list_init(&of.progress.list);
	r = queue_jobs_new(l, given, false, &job);
	if (r < 0) {
		r = r == -EAGAIN ? path_results(l) : fail_system(r, "a job's record");
	} else {
		if (given->options.ret_id)
			__atomic_store_n(given->options.ret_id, job->id, __ATOMIC_RELEASE);
		call->handle.verdict.id = job->id;
		r = call_on(l, given, job, &of);
	}
	sleep_leave(l);
	if (r == 0)
		*ret_result = call_over(call, &of);
	return r;
}

static bool call_done(const struct wait *wait) { return wait->handle->closed; }

static bool may_go(const struct wait *wait)
{
	const struct brood_handle *h = wait->handle;

	return h->closed || job_files_room(h->pool, h->files);
}

/*
 * The job is kept (job_files.h), without a socket. Waits for its turn. 0: sent, or has its verdict.
 */
static int wait_for_turn(struct call *call)
{
	struct brood_handle *h = &call->handle;
	struct wait wait = {
		.brood = call->b, .handle = h, .done = may_go, .until = h->kept_until
	};
	int r;

	do {
		engine_lock(call->b);
		if (wait_until(&wait) < 0) {
			job_record_give_up(
				call->b, h->id, BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME, false);
			job_files_gone(call->b);
		}
		engine_unlock(call->b);
		r = h->closed
			? 0
			: job_message_go(call->b, &call->given, h, &call->bytes, &call->transfer);
	} while (r == JOB_MESSAGE_KEPT);
	return r;
}

/* Makes one attempt. 0: the handle has the attempt's verdict; -errno: no job was given. */
static int attempt(struct call *call)
{
	struct wait wait = { .brood = call->b,
		.handle = &call->handle,
		.done = call_done,
		.transfer = &call->transfer,
		.until = TIME_NEVER };
	int r = job_message_attempt(
		call->b, &call->given, &call->handle, &call->bytes, &call->transfer);

	if (r == JOB_MESSAGE_KEPT)
		r = wait_for_turn(call);
	if (r < 0)
		return r;
	engine_lock(call->b);
	wait_until(&wait);
	transfer_adopt(&call->transfer, &call->handle.socket);
	engine_unlock(call->b);
	transfer_finish(&call->transfer);
	transfer_close(&call->transfer);
	return 0;
}

static void enlist(struct call *call)
{
	engine_lock(call->b);
	list_append(&call->handle.calls, &call->b->calls);
	engine_unlock(call->b);
}

/* Makes all attempts. 0: the handle has the verdict; -errno: no job was given. */
static int hand_off(struct call *call)
{
	struct brood_handle *h = &call->handle;
	bool retries = call->given.options.retries > 0;
	int r;

	call->tries = (struct tries){ .left = call->given.options.retries,
		.on = call->given.options.retry_on };
	if (retries)
		enlist(call);
	call->transfer.reply = NULL;
	r = attempt(call);
	while (r == 0 && job_message_again(call->b, h, NULL, &call->tries)) {
		if (call->given.options.ret_reply)
			free(call->transfer.reply);
		call->given.attempt = h->verdict.attempts;
		call->given.given_ns = now_ns();
		r = attempt(call);
	}
	job_message_over(h, &call->tries, r, &h->verdict);
	if (retries) {
		engine_lock(call->b);
		list_remove(&h->calls);
		engine_unlock(call->b);
	}
	return call->tries.ran ? 0 : r;
}

static ssize_t handed_off(struct call *call)
{
	const struct brood_job_options *o = &call->given.options;
	struct brood_handle *h = &call->handle;

	give_fds(o, h->reply_fds, h->reply_fds_count);
	for (size_t i = 0; i < h->reply_fds_count; i++)
		closing_fd(h->reply_fds[i]);
	h->verdict.reply_size = call->transfer.received;
	if (o->ret_reply) {
		struct reply_memory memory = { .buffer = call->transfer.reply };

		if (reply_give(&memory, call->transfer.received, o->ret_reply) < 0)
			call->transfer.error = -ENOMEM;
	}
	return result(call, &h->verdict, call->transfer.received, call->transfer.error);
}

/* A call that never became a job has a verdict, too. Its id belongs to no other job. */
static ssize_t refused(struct call *call, int error)
{
	struct brood_verdict *v = &call->handle.verdict;

	*v = outcome_of_error(error);
	pool_sign(call->given.pool, v);
	given_name(v->name, given_text(&call->given));
	v->id = call->handle.public_id;
	if (!v->id) { /* the caller was told no id */
		engine_lock(call->b);
		v->id = job_record_fresh_id(call->b);
		engine_unlock(call->b);
	}
	return outcome_refused(call->given.pool, error);
}

/*
 * from: what call_lease() returned (1: hand the call off), or the error with which its options were
 * refused. Returns 0 if the call has a verdict, and a negative errno if it has none.
 */
static int call_by_handoff(struct call *call, int from, ssize_t *ret_result)
{
	uint64_t told = call->handle.verdict.id;
	int r = from;

	job_message_handle(&call->handle, call->b, &call->given);
	call->handle.public_id = told;
	if (r == 1)
		r = job_message_full(call->given.pool);
	if (r >= 0)
		r = hand_off(call);
	if (r == -EINVAL || r == -ESHUTDOWN)
		return r;
	*ret_result = r < 0 ? refused(call, r) : handed_off(call);
	return 0;
}

static int call_check(struct call *call, const struct engine_job *job)
{
	struct engine_bytes *bytes = &call->bytes;
	int r;

	if ((bytes->request_size && !bytes->request) || (bytes->reply_size && !bytes->reply))
		return fail_with(-EINVAL, "brood_call: a size is not 0 but its pointer is NULL");
	if (bytes->request_size > SSIZE_MAX || bytes->reply_size > SSIZE_MAX)
		return fail_with(-EINVAL, "brood_call: a size is larger than memory can be");
	r = given_check(call->b, job, false, &call->given);
	bytes->grows = r >= 0 && call->given.options.ret_reply;
	if (bytes->grows) {
		*call->given.options.ret_reply = NULL;
		if (bytes->reply || bytes->reply_size)
			return fail_with(-EINVAL,
				"brood_call: with options.ret_reply the library has the reply's "
				"memory: give NULL and 0 for it");
	}
	return r;
}

static ssize_t call_job(
	struct call *call, const struct engine_job *job, struct brood_verdict *ret_verdict)
{
	const struct iovec request = { .iov_base = (void *)(uintptr_t)call->bytes.request,
		.iov_len = call->bytes.request_size };
	ssize_t n = 0;
	int r = call_check(call, job);

	if (r == -EINVAL)
		return r;
	call->given.request = &request;
	call->given.request_count = 1;
	call->given.request_size = request.iov_len;
	if (r >= 0 && call->given.options.request &&
		(r = loan_check(call->b, &call->given)) == -EINVAL)
		return r;
	call->handle.verdict.id = 0;
	if (r >= 0)
		r = call_lease(call, &n);
	if (r != 0)
		r = call_by_handoff(call, r, &n);
	if (r < 0)
		return r;
	if (ret_verdict)
		*ret_verdict = call->handle.verdict;
	return n;
}

/* There was no memory for the request: no job begins, but the call has a verdict. */
static ssize_t without_memory(
	struct brood *b, const struct engine_job *job, struct brood_verdict *ret_verdict)
{
	VISIT(b);
	struct call call = { .b = b };
	int r = call_check(&call, job);

	if (r == -EINVAL)
		return r;
	if (atomic_load(&b->refusing))
		return fail_stopped();
	job_message_handle(&call.handle, b, &call.given);
	call.handle.public_id = 0;
	if (r == 0)
		r = fail_system(-ENOMEM, "a request in one piece");
	r = (int)refused(&call, r);
	if (ret_verdict)
		*ret_verdict = call.handle.verdict;
	return r;
}

/* Does by hand what VISIT() does (engine_root.h), since most jobs come this way. */
ssize_t engine_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict)
{
	struct call call;
	ssize_t n;
	int state;

	if (!ENGINE_IS_HERE(b))
		return fail_not_engine(b);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	call.b = b;
	call.bytes = *bytes;
	n = call_job(&call, job, ret_verdict);
	pthread_setcancelstate(state, NULL);
	return n;
}

ssize_t brood_call_named(struct brood *brood, brood_fn *fn, const char *name, const void *request,
	size_t request_size, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict)
{
	struct engine_job job = engine_job_of(fn, name, options);
	struct engine_bytes bytes = { .request = request,
		.request_size = request_size,
		.reply = reply,
		.reply_size = reply_size };
	int r = ENGINE_ROLE("brood_call", brood);

	return r < 0 ? r : engine_call(brood, &job, &bytes, ret_verdict);
}

ssize_t brood_callv_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *request, size_t request_count, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict)
{
	size_t size, at = 0;
	char *all;
	ssize_t n;
	int r = ENGINE_ROLE("brood_callv", brood);

	if (r < 0 || (r = given_pieces("brood_callv", request, request_count, &size)) < 0)
		return r;
	if (request_count == 1)
		return brood_call_named(brood, fn, name, request->iov_base, size, reply, reply_size,
			options, ret_verdict);
	all = malloc(size + 1);
	if (!all) {
		struct engine_job job = engine_job_of(fn, name, options);

		return without_memory(brood, &job, ret_verdict);
	}
	for (size_t i = 0; i < request_count; at += request[i++].iov_len)
		if (request[i].iov_len > 0)
			memcpy(all + at, request[i].iov_base, request[i].iov_len);
	n = brood_call_named(brood, fn, name, all, size, reply, reply_size, options, ret_verdict);
	free(all);
	return n;
}
