/* SPDX-License-Identifier: MIT */
/*
 * call_handoff.c - a call by handoff. The bytes travel on a socket pair of the call's own, the
 * verdict on the channel; one poll() waits for both (wait.c).
 *
 * Retries are made here and not in the supervisor: the request is here. Each attempt is a job of
 * its own on the wire, with a new socket pair and the request from its beginning; what an earlier
 * attempt replied is overwritten. For the caller it is one job: the id is that of the first
 * attempt, and brood_cancel() by that id reaches whichever attempt runs.
 */
#include "call_handoff.h"

#include "fail.h"
#include "job_message.h"
#include "job_record.h"
#include "engine_root.h"
#include "transfer.h"
#include "wait.h"

#include "../base/base.h"
#include "../os/closing.h"
#include "../os/sockets.h"
#include "../pool/fate.h"
#include "../wire/frame.h"
#include <sys/socket.h>

static bool call_done(const struct wait *wait) { return wait->handle->closed; }

static int call_send(struct call *call, int fds[2])
{
	struct brood *b = call->b;
	int r;

	transfer_begin(&call->transfer, fds[0], call->bytes);
	if (call->transfer.error)
		return fail_system(call->transfer.error, "reading the request");
	call->given.fd = fds[1];
	call->given.own_pair = true;
	engine_lock(b);
	r = job_message_send(b, &call->given, &call->handle);
	engine_unlock(b);
	if (r == 1)
		fds[1] = -1; /* it waits in the queue now */
	return r < 0 ? r : 0;
}

/* One attempt. 0: the handle is closed; -errno: no job was given. */
static int call_attempt(struct call *call)
{
	struct wait wait = { .brood = call->b,
		.handle = &call->handle,
		.done = call_done,
		.transfer = &call->transfer,
		.until = TIME_NEVER };
	int fds[2], r;

	r = sockets_pair(SOCK_STREAM, fds);
	if (r < 0)
		return fail_system(r, "a job's socket pair");
	r = call_send(call, fds);
	fds[1] = close_fd(fds[1]);
	if (r >= 0) {
		engine_lock(call->b);
		wait_until(&wait);
		engine_unlock(call->b);
		transfer_finish(&call->transfer);
	}
	closing_pair_end(fds[0]);
	return r;
}

/*
 * Ready for another attempt? Under the lock, so that a cancel goes either to this attempt or to the
 * next.
 */
static bool call_again(struct call *call)
{
	struct brood *b = call->b;
	bool again;

	if (!call->given.options.retries || !fate_retryable(&call->handle.verdict))
		return false;
	engine_lock(b);
	again = !call->handle.cancelled && !b->lost && b->state == ENGINE_RUNNING;
	engine_unlock(b);
	if (!again)
		return false;
	call->given.options.retries--;
	call->given.attempt = call->handle.verdict.attempts;
	call->given.given_ns = now_ns();
	return true;
}

static void call_register(struct call *call, bool on)
{
	struct brood *b = call->b;

	engine_lock(b);
	if (on)
		list_append(&call->handle.calls, &b->calls);
	else
		list_remove(&call->handle.calls);
	engine_unlock(b);
}

/*
 * An attempt that never ran, after one that did: the verdict is that of the one before, for
 * "refused" and "not started" would not be true of the job.
 */
static bool call_came_to_nothing(struct call *call, const struct brood_verdict *before)
{
	struct brood_verdict *v = &call->handle.verdict;
	struct brood *b = call->b;

	v->started = 1;
	if (v->outcome != BROOD_REFUSED)
		return false;
	*v = *before;
	engine_lock(b);
	/* nobody heard of that one: engine_stats() adds this to what the supervisor counted */
	b->refused--;
	engine_unlock(b);
	return true;
}

/*
 * Another attempt of a closed handle: it opens again, for it is one job to its caller. An attempt
 * that cannot be given leaves the verdict of the one before.
 */
static int call_repeat(struct call *call)
{
	struct brood_verdict before;
	int r;

	while (call_again(call)) {
		struct brood *b = call->b;

		before = call->handle.verdict;
		engine_lock(b);
		call->handle.closed = false;
		engine_unlock(b);
		r = call_attempt(call);
		if (r < 0) {
			call->handle.verdict = before;
			call->handle.closed = true;
			return r;
		}
		if (call_came_to_nothing(call, &before))
			return 0;
		engine_lock(b);
		b->retried++;
		engine_unlock(b);
	}
	return 0;
}

int call_handoff_run(struct call *call)
{
	bool retries = call->given.options.retries > 0;
	int r;

	if (retries)
		call_register(call, true);
	r = call_attempt(call);
	if (r >= 0)
		call_repeat(call);
	if (retries)
		call_register(call, false);
	return r;
}

/*
 * A call that never became a job has a verdict too, and an id that is nobody else's: the one that
 * its caller was told, if it was.
 */
void call_handoff_refused(struct call *call, int error)
{
	struct brood_verdict *v = &call->handle.verdict;
	struct brood *b = call->b;

	*v = (struct brood_verdict){
		.size = sizeof *v, .outcome = BROOD_REFUSED, .detail = BROOD_DETAIL_NONE
	};
	if (error == -ENOTCONN) {
		v->outcome = BROOD_LOST;
		v->detail = BROOD_DETAIL_CHANNEL;
	} else if (error == -EFAULT) {
		v->detail = BROOD_DETAIL_BAD_POINTER;
	} else if (error == -EAGAIN) {
		v->detail = BROOD_DETAIL_QUEUE_FULL;
	} else if (error == -ESTALE) {
		v->detail = BROOD_DETAIL_LEASE_OVER;
	} else if (error == -EMFILE || error == -ENFILE) {
		v->detail = BROOD_DETAIL_FD_LOST;
	}
	v->id = call->handle.public_id;
	if (v->id)
		return;
	engine_lock(b);
	v->id = job_record_fresh_id(b);
	engine_unlock(b);
}

/* Those of the reply, to whoever wants them. */
void call_handoff_fds(struct call *call)
{
	const struct brood_job_options *o = &call->given.options;
	struct brood_handle *h = &call->handle;
	size_t kept = o->ret_fds ? MIN(h->reply_fds_count, o->ret_fds_room) : 0;

	for (size_t i = 0; i < h->reply_fds_count; i++)
		if (i < kept)
			o->ret_fds[i] = h->reply_fds[i];
		else
			closing_fd(h->reply_fds[i]);
	h->reply_fds_count = 0;
	if (o->ret_fds_count)
		*o->ret_fds_count = kept;
}

ssize_t call_handoff_result(struct call *call)
{
	struct transfer *t = &call->transfer;
	struct brood_verdict *v = &call->handle.verdict;
	int r;

	v->reply_size = t->received;
	r = fail_verdict(v);
	if (r < 0)
		return r;
	if (t->error)
		return fail_system(t->error, "the request or the reply of a call");
	if (t->received > call->bytes->reply_size)
		return fail_with(-EMSGSIZE,
			"job %llu %s: its reply has %zu bytes, the caller's buffer %zu: the first "
			"of them are there",
			(unsigned long long)v->id, v->name, t->received, call->bytes->reply_size);
	return (ssize_t)t->received;
}
