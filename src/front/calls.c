/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the engine's public calls: each asks whether this process may (front.h) and goes on to
 * the engine's side, or to inline mode's.
 */
#include "front.h"

#include "../base/intern.h"
#include "calls.h"
#include "../engine/engine.h"
#include "../inline/inline.h"
#include "../wire/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

const char *calls_name(brood_fn *fn, const char *text)
{
	return intern_function((uintptr_t)fn, text);
}

const char *brood_error(void) { return engine_error_text(); }

int brood_open_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct brood_job_options *options, int *ret_fd, struct brood_handle **ret_handle)
{
	struct engine_job job = { .fn = fn, .name = calls_name(fn, name), .options = options };
	int r = front_check("brood_open", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_open(brood, &job, ret_fd, ret_handle)
				 : engine_open(brood, &job, ret_fd, ret_handle);
}

int brood_give_named(struct brood *brood, brood_fn *fn, const char *name, int fd,
	const struct brood_job_options *options, struct brood_handle **ret_handle)
{
	struct engine_job job = { .fn = fn, .name = calls_name(fn, name), .options = options };
	int r = front_check("brood_give", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_give(brood, &job, fd, ret_handle)
				 : engine_give(brood, &job, fd, ret_handle);
}

ssize_t brood_call_named(struct brood *brood, brood_fn *fn, const char *name, const void *request,
	size_t request_size, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict)
{
	struct engine_job job = { .fn = fn, .name = calls_name(fn, name), .options = options };
	struct engine_bytes bytes = { .request = request,
		.request_size = request_size,
		.reply = reply,
		.reply_size = reply_size };
	int r = front_check("brood_call", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_call(brood, &job, &bytes, ret_verdict)
				 : engine_call(brood, &job, &bytes, ret_verdict);
}

static char *join(const struct iovec *pieces, size_t count, size_t size)
{
	char *all = malloc(size + 1), *at = all;

	for (size_t i = 0; all && i < count; at += pieces[i++].iov_len)
		if (pieces[i].iov_len > 0)
			memcpy(at, pieces[i].iov_base, pieces[i].iov_len);
	return all;
}

ssize_t brood_callv_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *request, size_t request_count, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict)
{
	size_t size;
	char *all;
	ssize_t n;
	int r = front_check("brood_callv", brood);

	if (r < 0 || (r = calls_check_pieces("brood_callv", request, request_count, &size)) < 0)
		return r;
	all = join(request, request_count, size);
	if (!all) {
		engine_error("brood_callv: out of memory");
		return -ENOMEM;
	}
	n = brood_call_named(brood, fn, name, all, size, reply, reply_size, options, ret_verdict);
	free(all);
	return n;
}

uint64_t brood_id(const struct brood_handle *handle)
{
	if (!handle)
		return 0;
	return front_is_inline() ? inline_id(handle) : engine_id(handle);
}

int brood_fetch(struct brood_handle *handle, struct brood_verdict *ret_verdict)
{
	int r = front_check("brood_fetch", handle);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_fetch(handle, ret_verdict)
				 : engine_fetch(handle, ret_verdict);
}

int brood_wait(struct brood_handle *handle, uint32_t timeout_ms, struct brood_verdict *ret_verdict)
{
	int r = front_check("brood_wait", handle);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_wait(handle, timeout_ms, ret_verdict)
				 : engine_wait(handle, timeout_ms, ret_verdict);
}

struct brood_handle *brood_release(struct brood_handle *handle)
{
	if (!handle || front_check("brood_release", handle) < 0)
		return NULL;
	if (front_is_inline())
		inline_release(handle);
	else
		engine_release(handle);
	return NULL;
}

int brood_cancel(struct brood *brood, uint64_t id)
{
	int r = front_check("brood_cancel", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_cancel(brood, id) : engine_cancel(brood, id);
}

int brood_fd(struct brood *brood)
{
	int r = front_check("brood_fd", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_fd(brood) : engine_fd(brood);
}

int brood_dispatch(struct brood *brood)
{
	int r = front_check("brood_dispatch", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_dispatch(brood) : engine_dispatch(brood);
}

int brood_wait_ready(struct brood *brood, uint32_t timeout_ms)
{
	int r = front_check("brood_wait_ready", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_wait_ready(brood) : engine_wait_ready(brood, timeout_ms);
}

int brood_stop(struct brood *brood)
{
	int r = front_check("brood_stop", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_stop(brood) : engine_stop(brood);
}

int brood_set_init_data(
	struct brood *brood, const void *data, size_t data_size, const int *fds, size_t fds_count)
{
	int r = front_check("brood_set_init_data", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_set_init_data(brood, data, data_size, fds, fds_count)
				 : engine_set_init_data(brood, data, data_size, fds, fds_count);
}

int brood_notify_ready(struct brood *brood)
{
	int r = front_check("brood_notify_ready", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_notify(brood) : engine_notify(brood, NOTIFY_READY, NULL);
}

int brood_notify_status(struct brood *brood, const char *text)
{
	int r = front_check("brood_notify_status", brood);

	if (r < 0)
		return r;
	if (!text) {
		engine_error("brood_notify_status: text is NULL");
		return -EINVAL;
	}
	return front_is_inline() ? inline_notify(brood) : engine_notify(brood, NOTIFY_STATUS, text);
}

int brood_stats(struct brood *brood, struct brood_stats *ret_stats)
{
	int r = front_check("brood_stats", brood);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_stats(brood, ret_stats) : engine_stats(brood, ret_stats);
}
