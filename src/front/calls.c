/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the engine's public calls: each asks whether this process may make it (role.h), checks
 * its arguments as far as possible without a look at the pool, and calls the engine, or inline mode
 * where that differs.
 */
#include "../engine/answer.h"
#include "../inline/inline.h"
#include "inherited.h"
#include "../os/role.h"
#include "../wire/message.h"
#include "../wire/status_view.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* Returns enum role_way, or -errno with a sentence: only the engine may make such a call. */
static int way(const char *call, const void *what)
{
	int way = atomic_load_explicit(role_mark, memory_order_relaxed);

	if (way == ROLE_NOBODY || !what)
		return engine_role_check(call, what);
	ANSWER_IF_ASKED();
	return way;
}

static int fail(const char *call, const char *why)
{
	engine_error("%s: %s", call, why);
	return -EINVAL;
}

enum brood_role brood_role(void) { return role_now(); }

const char *brood_error(void) { return engine_error_text(); }

/* ---- jobs ---- */

int brood_open_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct brood_job_options *options, int *ret_fd, struct brood_handle **ret_handle)
{
	struct engine_job job = engine_job_of(fn, name, options);
	int r = way("brood_open", brood);

	return r < 0 ? r : engine_open(brood, &job, ret_fd, ret_handle);
}

int brood_give_named(struct brood *brood, brood_fn *fn, const char *name, int fd,
	const struct brood_job_options *options, struct brood_handle **ret_handle)
{
	struct engine_job job = engine_job_of(fn, name, options);
	int r = way("brood_give", brood);

	return r < 0 ? r : engine_give(brood, &job, fd, ret_handle);
}

/* ---- memory for requests ---- */

int brood_request_new(struct brood *brood, size_t size, struct brood_request **ret_request)
{
	int r = way("brood_request_new", brood);

	if (r < 0)
		return r;
	if (!ret_request)
		return fail("brood_request_new", "ret_request is NULL");
	return engine_request_new(brood, size, ret_request);
}

void *brood_request_memory(struct brood_request *request, size_t *ret_size)
{
	return way("brood_request_memory", request) < 0 ? NULL
							: engine_request_memory(request, ret_size);
}

size_t brood_request_out(struct brood_request *request)
{
	return way("brood_request_out", request) < 0 ? 0 : engine_request_out(request);
}

struct brood_request *brood_request_free(struct brood_request *request)
{
	if (request && way("brood_request_free", request) >= 0)
		engine_request_free(request);
	return NULL;
}

struct brood_reply *brood_reply_free(struct brood_reply *reply)
{
	if (reply)
		engine_reply_free(reply);
	return NULL;
}

/* ---- handles ---- */

uint64_t brood_id(const struct brood_handle *handle) { return handle ? engine_id(handle) : 0; }

const char *brood_tag(const struct brood_handle *handle)
{
	return handle ? engine_tag(handle) : "";
}

int brood_fetch(struct brood_handle *handle, struct brood_verdict *ret_verdict)
{
	int r = way("brood_fetch", handle);

	return r < 0 ? r : engine_fetch(handle, ret_verdict);
}

int brood_wait(struct brood_handle *handle, uint32_t timeout_ms, struct brood_verdict *ret_verdict)
{
	int r = way("brood_wait", handle);

	return r < 0 ? r : engine_wait(handle, timeout_ms, ret_verdict);
}

struct brood_handle *brood_release(struct brood_handle *handle)
{
	if (handle && way("brood_release", handle) >= 0)
		engine_release(handle);
	return NULL;
}

int brood_cancel(struct brood *brood, uint64_t id)
{
	int r = way("brood_cancel", brood);

	return r < 0 ? r : engine_cancel(brood, id);
}

/* ---- the pool ---- */

int brood_fd(struct brood *brood)
{
	int r = way("brood_fd", brood);

	return r < 0 ? r : r == ROLE_INLINE ? inline_fd(brood) : engine_fd(brood);
}

int brood_dispatch(struct brood *brood)
{
	int r = way("brood_dispatch", brood);

	return r < 0 ? r : engine_dispatch(brood);
}

void brood_alive(struct brood *brood) { way("brood_alive", brood); }

int brood_wait_ready(struct brood *brood, uint32_t timeout_ms)
{
	int r = way("brood_wait_ready", brood);

	return r < 0 ? r : engine_wait_ready(brood, timeout_ms);
}

int brood_stop(struct brood *brood)
{
	int r = way("brood_stop", brood);

	return r < 0 ? r : r == ROLE_INLINE ? inline_stop(brood) : engine_stop(brood);
}

struct brood_pool *brood_pool(struct brood *brood, const char *name)
{
	struct brood_pool *pool;
	int r = way("brood_pool", brood);

	if (r < 0) {
		errno = -r;
		return NULL;
	}
	pool = engine_pool(brood, name);
	if (!pool) {
		engine_error("brood_pool: there is no pool \"%s\": options.pools of brood_start() "
			     "made all there are",
			name);
		errno = ENOENT;
	}
	return pool;
}

static int set_init_data(struct brood_pool *pool, int way, const void *data, size_t data_size,
	const int *fds, size_t fds_count)
{
	if (way == ROLE_INLINE)
		return inline_set_init_data(pool, data, data_size, fds, fds_count);
	return way < 0 ? way : engine_set_init_data(pool, data, data_size, fds, fds_count);
}

int brood_set_init_data(
	struct brood *brood, const void *data, size_t data_size, const int *fds, size_t fds_count)
{
	int r = way("brood_set_init_data", brood);

	return r < 0 ? r
		     : set_init_data(engine_pool(brood, NULL), r, data, data_size, fds, fds_count);
}

int brood_pool_set_init_data(struct brood_pool *pool, const void *data, size_t data_size,
	const int *fds, size_t fds_count)
{
	return set_init_data(
		pool, way("brood_pool_set_init_data", pool), data, data_size, fds, fds_count);
}

int brood_pool_resize(struct brood_pool *pool, uint32_t min, uint32_t max)
{
	int r = way("brood_pool_resize", pool);

	if (r == ROLE_INLINE)
		return 0;
	return r < 0 ? r : engine_pool_resize(pool, min, max);
}

int brood_reload(struct brood *brood, struct brood_pool *pool, uint64_t *ret_reload)
{
	int r = way("brood_reload", brood);

	return r == ROLE_INLINE ? inline_has_no_workers(brood, "brood_reload")
		: r < 0         ? r
				: engine_reload(brood, pool, ret_reload);
}

int brood_reload_wait(struct brood *brood, uint64_t reload, uint32_t timeout_ms)
{
	int r = way("brood_reload_wait", brood);

	return r == ROLE_INLINE ? inline_has_no_workers(brood, "brood_reload_wait")
		: r < 0         ? r
				: engine_reload_wait(brood, reload, timeout_ms);
}

static int notify(struct brood *brood, int way, uint32_t kind, const char *text)
{
	if (way < 0)
		return way;
	return way == ROLE_INLINE ? inline_check(brood) : engine_notify(brood, kind, text);
}

int brood_notify_ready(struct brood *brood)
{
	return notify(brood, way("brood_notify_ready", brood), NOTIFY_READY, NULL);
}

int brood_notify_status(struct brood *brood, const char *text)
{
	int r = way("brood_notify_status", brood);

	if (r >= 0 && !text)
		return fail("brood_notify_status", "text is NULL");
	return notify(brood, r, NOTIFY_STATUS, text);
}

int brood_notify(struct brood *brood, const char *fields)
{
	int r = way("brood_notify", brood);

	if (r != ROLE_INLINE)
		return r < 0 ? r : engine_notify_fields(brood, fields);
	r = engine_notify_check(fields);
	return r < 0 ? r : inline_check(brood);
}

int brood_notify_barrier(struct brood *brood, uint32_t timeout_ms)
{
	int r = way("brood_notify_barrier", brood);

	return r == ROLE_INLINE ? inline_check(brood)
		: r < 0         ? r
				: engine_notify_barrier(brood, timeout_ms);
}

/* ---- kept fds ---- */

static int check_name(const char *call, const char *name)
{
	if (kept_name_is_good(name))
		return 0;
	engine_error("%s: the name is \"%.40s\": it must have 1 to %u characters, printable ASCII "
		     "without ':' (systemd takes no others)",
		call, name, KEPT_NAME_MAX);
	return -EINVAL;
}

_Static_assert(KEPT_MAX == BROOD_KEPT_MAX && KEPT_NAME_MAX + 1 == BROOD_KEPT_NAME_MAX, "one bound");

int brood_keep(struct brood *brood, const char *name, int fd)
{
	int r = way("brood_keep", brood);

	if (r >= 0 && !name)
		return fail("brood_keep", "name is NULL");
	if (r >= 0)
		r = check_name("brood_keep", name);
	return r < 0 ? r : engine_keep(brood, name, fd);
}

int brood_kept(struct brood *brood, const char *name, int *ret_fds, size_t room)
{
	bool early = !brood && role_now() == BROOD_ROLE_NONE;
	int r = early ? 0 : way("brood_kept", brood);

	if (r >= 0 && room > 0 && !ret_fds)
		return fail("brood_kept", "ret_fds is NULL, but room is not 0");
	if (r >= 0 && name)
		r = check_name("brood_kept", name);
	if (r < 0)
		return r;
	return early ? inherited_find(name, ret_fds, room)
		     : engine_kept(brood, name, ret_fds, room);
}

int brood_stats(struct brood *brood, struct brood_stats *ret_stats)
{
	int r = way("brood_stats", brood);

	return r < 0 ? r : engine_stats(brood, ret_stats);
}

int brood_report(struct brood *brood, uint64_t id, struct brood_report *ret_report)
{
	int r = way("brood_report", brood);

	return r < 0 ? r : engine_report(brood, id, ret_report);
}

int brood_pool_stats(struct brood_pool *pool, struct brood_stats *ret_stats)
{
	int r = way("brood_pool_stats", pool);

	return r < 0 ? r : engine_pool_stats(pool, ret_stats);
}

int brood_workers(
	struct brood_pool *pool, struct brood_worker_info *ret_infos, size_t info_size, size_t room)
{
	int r = way("brood_workers", pool);

	return r < 0 ? r : engine_workers(pool, ret_infos, info_size, room);
}

int brood_histogram(
	struct brood_pool *pool, enum brood_time which, struct brood_histogram *ret_histogram)
{
	int r = way("brood_histogram", pool);

	return r < 0 ? r : engine_histogram(pool, which, ret_histogram);
}

uint64_t brood_histogram_quantile(const struct brood_histogram *histogram, double q)
{
	return histogram ? status_view_quantile(histogram->buckets, histogram->max_ns, q) : 0;
}

ssize_t brood_metrics(struct brood *brood, char *text, size_t size)
{
	int r = way("brood_metrics", brood);

	return r < 0 ? r : engine_metrics(brood, text, size);
}

/* ---- queues ---- */

int brood_queue_new(struct brood *brood, const struct brood_queue_options *options,
	struct brood_queue **ret_queue)
{
	int r = way("brood_queue_new", brood);

	if (r >= 0 && !ret_queue)
		return fail("brood_queue_new", "ret_queue is NULL");
	return r < 0 ? r : engine_queue_new(brood, options, ret_queue);
}

struct brood_queue *brood_queue_free(struct brood_queue *queue)
{
	if (queue && way("brood_queue_free", queue) >= 0)
		engine_queue_free(queue);
	return NULL;
}

struct brood_queue *brood_own_queue(struct brood *brood)
{
	return way("brood_own_queue", brood) < 0 ? NULL : engine_own_queue(brood);
}

int brood_queue_fd(struct brood_queue *queue)
{
	int r = way("brood_queue_fd", queue);

	return r < 0 ? r : engine_queue_fd(queue);
}

int brood_queue_dispatch(struct brood_queue *queue)
{
	int r = way("brood_queue_dispatch", queue);

	return r < 0 ? r : engine_queue_dispatch(queue);
}

int brood_queue_wait(struct brood_queue *queue, uint32_t timeout_ms)
{
	int r = way("brood_queue_wait", queue);

	return r < 0 ? r : engine_queue_wait(queue, timeout_ms);
}

int brood_take(struct brood_queue *queue, const struct brood_result **ret_results, size_t room)
{
	int r = way("brood_take", queue);

	if (r >= 0 && room > 0 && !ret_results)
		return fail("brood_take", "ret_results is NULL, but room is not 0");
	return r < 0 ? r : engine_take(queue, ret_results, room);
}

int brood_wait_id(struct brood_queue *queue, uint64_t id, uint32_t timeout_ms,
	const struct brood_result **ret_result)
{
	int r = way("brood_wait_id", queue);

	if (r >= 0 && !ret_result)
		return fail("brood_wait_id", "ret_result is NULL");
	return r < 0 ? r : engine_wait_id(queue, id, timeout_ms, ret_result);
}

int brood_queue_cancel(struct brood_queue *queue)
{
	int r = way("brood_queue_cancel", queue);

	return r < 0 ? r : engine_queue_cancel(queue);
}

size_t brood_queue_out(struct brood_queue *queue)
{
	return way("brood_queue_out", queue) < 0 ? 0 : engine_queue_out(queue);
}

/* ---- pinned leases ---- */

int brood_lease(struct brood *brood, const struct brood_lease_options *options,
	struct brood_lease **ret_lease)
{
	int r = way("brood_lease", brood);

	if (r >= 0 && !ret_lease)
		return fail("brood_lease", "ret_lease is NULL");
	if (r == ROLE_INLINE)
		return inline_lease(brood, options, ret_lease);
	return r < 0 ? r : engine_lease(brood, options, ret_lease);
}

struct brood_lease *brood_lease_end(struct brood_lease *lease)
{
	int r = lease ? way("brood_lease_end", lease) : -EINVAL;

	if (r == ROLE_INLINE)
		inline_lease_end(lease);
	else if (r >= 0)
		engine_lease_end(lease);
	return NULL;
}

struct brood_queue *brood_lease_queue(struct brood_lease *lease)
{
	return way("brood_lease_queue", lease) < 0 ? NULL : engine_lease_queue(lease);
}

int brood_lease_worker(
	struct brood_lease *lease, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation)
{
	int r = way("brood_lease_worker", lease);

	return r < 0 ? r : engine_lease_worker(lease, ret_pid, ret_slot, ret_generation);
}
