/* SPDX-License-Identifier: MIT */
/*
 * calls_submit.c - the public calls of queues and leases; as calls.c. What can be said of the
 * arguments without knowing who serves them is said here, once for both.
 */
#include "front.h"

#include "calls.h"
#include "../engine/engine.h"
#include "../inline/inline.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#define PIECES_MAX 1024u /* as the kernel's IOV_MAX */

static int fail(const char *call, const char *why)
{
	engine_error("%s: %s", call, why);
	return -EINVAL;
}

int calls_check_pieces(const char *call, const struct iovec *pieces, size_t count, size_t *ret_size)
{
	size_t size = 0;

	if (count > 0 && !pieces)
		return fail(call, "request is NULL, but request_count is not 0");
	if (count > PIECES_MAX)
		return fail(call, "request_count is more than 1024: join pieces");
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].iov_len > 0 && !pieces[i].iov_base)
			return fail(call, "request is NULL, but its size is not 0");
		if (pieces[i].iov_len > (size_t)SSIZE_MAX - size)
			return fail(call, "the request's size is larger than any memory");
		size += pieces[i].iov_len;
	}
	*ret_size = size;
	return 0;
}

static int submit(struct brood *brood, const struct engine_job *job, const struct iovec *request,
	size_t count, uint64_t *ret_id)
{
	size_t size;
	int r = calls_check_pieces("brood_submit", request, count, &size);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_submit(brood, job, request, count, ret_id)
				 : engine_submit(brood, job, request, count, ret_id);
}

int brood_submit_named(struct brood *brood, brood_fn *fn, const char *name, const void *request,
	size_t request_size, const struct brood_job_options *options, uint64_t *ret_id)
{
	struct engine_job job = { .fn = fn, .name = calls_name(fn, name), .options = options };
	struct iovec piece = { .iov_base = (void *)(uintptr_t)request, .iov_len = request_size };
	int r = front_check("brood_submit", brood);

	return r < 0 ? r : submit(brood, &job, &piece, request_size > 0, ret_id);
}

int brood_submitv_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *request, size_t request_count, const struct brood_job_options *options,
	uint64_t *ret_id)
{
	struct engine_job job = { .fn = fn, .name = calls_name(fn, name), .options = options };
	int r = front_check("brood_submitv", brood);

	return r < 0 ? r : submit(brood, &job, request, request_count, ret_id);
}

/* ---- Queues ---- */

int brood_queue_new(struct brood *brood, const struct brood_queue_options *options,
	struct brood_queue **ret_queue)
{
	int r = front_check("brood_queue_new", brood);

	if (r < 0)
		return r;
	if (!ret_queue)
		return fail("brood_queue_new", "ret_queue is NULL");
	return front_is_inline() ? inline_queue_new(brood, options, ret_queue)
				 : engine_queue_new(brood, options, ret_queue);
}

struct brood_queue *brood_queue_free(struct brood_queue *queue)
{
	if (!queue || front_check("brood_queue_free", queue) < 0)
		return NULL;
	if (front_is_inline())
		inline_queue_free(queue);
	else
		engine_queue_free(queue);
	return NULL;
}

struct brood_queue *brood_own_queue(struct brood *brood)
{
	if (front_check("brood_own_queue", brood) < 0)
		return NULL;
	return front_is_inline() ? inline_own_queue(brood) : engine_own_queue(brood);
}

int brood_queue_fd(struct brood_queue *queue)
{
	int r = front_check("brood_queue_fd", queue);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_queue_fd(queue) : engine_queue_fd(queue);
}

int brood_queue_dispatch(struct brood_queue *queue)
{
	int r = front_check("brood_queue_dispatch", queue);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_queue_dispatch(queue) : engine_queue_dispatch(queue);
}

int brood_queue_wait(struct brood_queue *queue, uint32_t timeout_ms)
{
	int r = front_check("brood_queue_wait", queue);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_queue_wait(queue, timeout_ms)
				 : engine_queue_wait(queue, timeout_ms);
}

int brood_take(struct brood_queue *queue, const struct brood_result **ret_results, size_t room)
{
	int r = front_check("brood_take", queue);

	if (r < 0)
		return r;
	if (room > 0 && !ret_results)
		return fail("brood_take", "ret_results is NULL, but room is not 0");
	return front_is_inline() ? inline_take(queue, ret_results, room)
				 : engine_take(queue, ret_results, room);
}

size_t brood_queue_out(struct brood_queue *queue)
{
	if (front_check("brood_queue_out", queue) < 0)
		return 0;
	return front_is_inline() ? inline_queue_out(queue) : engine_queue_out(queue);
}

/* ---- Leases ---- */

int brood_lease(struct brood *brood, const struct brood_lease_options *options,
	struct brood_lease **ret_lease)
{
	int r = front_check("brood_lease", brood);

	if (r < 0)
		return r;
	if (!ret_lease)
		return fail("brood_lease", "ret_lease is NULL");
	return front_is_inline() ? inline_lease(brood, options, ret_lease)
				 : engine_lease(brood, options, ret_lease);
}

struct brood_lease *brood_lease_end(struct brood_lease *lease)
{
	if (!lease || front_check("brood_lease_end", lease) < 0)
		return NULL;
	if (front_is_inline())
		inline_lease_end(lease);
	else
		engine_lease_end(lease);
	return NULL;
}

struct brood_queue *brood_lease_queue(struct brood_lease *lease)
{
	if (front_check("brood_lease_queue", lease) < 0)
		return NULL;
	return front_is_inline() ? inline_lease_queue(lease) : engine_lease_queue(lease);
}

int brood_lease_worker(
	struct brood_lease *lease, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation)
{
	int r = front_check("brood_lease_worker", lease);

	if (r < 0)
		return r;
	return front_is_inline() ? inline_lease_worker(lease, ret_pid, ret_slot, ret_generation)
				 : engine_lease_worker(lease, ret_pid, ret_slot, ret_generation);
}
