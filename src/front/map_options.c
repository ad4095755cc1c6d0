/* SPDX-License-Identifier: MIT */
/* map_options.c - checks the options of brood_map() before any item is given. */
#include "map_options.h"

#include "../base/base.h"
#include "../base/options.h"
#include "../engine/engine.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#define WINDOW_DEFAULT       65536u
#define WINDOW_BYTES_DEFAULT (UINT64_C(64) << 20)
#define PROGRESS_MS_DEFAULT  100u

#define fail(...) (engine_error("brood_map: " __VA_ARGS__), -EINVAL)

static int check(const struct brood_map_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(o->reserved); i++)
		if (o->reserved[i])
			return fail("options.reserved is not zero: initialise the struct with "
				    "{ .size = sizeof options }");
	if (o->flags & ~(uint32_t)BROOD_MAP_ORDERED)
		return fail("options.flags %#x has bits that this library does not know", o->flags);
	if (o->at_once > MAP_AT_ONCE_MAX)
		return fail("options.at_once is %u: at most %u", o->at_once, MAP_AT_ONCE_MAX);
	if (!(o->flags & BROOD_MAP_ORDERED) && (o->window || o->window_bytes))
		return fail("options.window and window_bytes hold results back for their order: "
			    "set BROOD_MAP_ORDERED, too, or neither");
	return 0;
}

/*
 * Refuses job options that the map sets itself: its own queue, and the context by which it finds
 * the item of a result.
 */
static int check_job(const struct brood_job_options *o)
{
	if (o->queue)
		return fail("options.job->queue is set: a map has a queue of its own");
	if (o->lease)
		return fail("options.job->lease is set: a map is for all workers; brood_submit() "
			    "gives jobs to one");
	if (o->on_done || o->on_progress || o->context)
		return fail("options.job->on_done, on_progress or context is set: a map calls "
			    "on_item, with a context of its own");
	if (o->ret_id || o->ret_fds || o->ret_fds_count)
		return fail("options.job->ret_id, ret_fds or ret_fds_count is set: on_item gets "
			    "id and fds of each item with its result");
	if (o->ret_reply)
		return fail("options.job->ret_reply is set: on_item gets the reply of each item "
			    "with its result");
	return 0;
}

int map_options_resolve(const struct brood_map_options *options, struct brood_map_options *ret_map,
	struct brood_job_options *ret_job)
{
	struct brood_map_options o;
	int r = options_copy(&o, sizeof o, options, sizeof o);

	if (r < 0)
		return fail("options.size is wrong, or a newer header's option is set: use { .size "
			    "= sizeof options }");
	r = check(&o);
	if (r < 0)
		return r;
	r = options_copy(ret_job, sizeof *ret_job, o.job,
		offsetof(struct brood_job_options, ret_id) + sizeof ret_job->ret_id);
	if (r < 0)
		return fail("options.job->size is wrong, or a newer header's option is set: use { "
			    ".size = sizeof options }");
	r = check_job(ret_job);
	if (r < 0)
		return r;
	if (!o.progress_ms)
		o.progress_ms = PROGRESS_MS_DEFAULT;
	if (!o.window)
		o.window = WINDOW_DEFAULT;
	if (!o.window_bytes)
		o.window_bytes = WINDOW_BYTES_DEFAULT;
	*ret_map = o;
	return 0;
}

int map_options_check_items(const struct iovec *items, size_t count)
{
	if (count > 0 && !items)
		return fail("items is NULL, but count is %zu", count);
	for (size_t i = 0; i < count; i++) {
		if (items[i].iov_len > 0 && !items[i].iov_base)
			return fail("item %zu is NULL, but its size is %zu", i, items[i].iov_len);
		if (items[i].iov_len > SSIZE_MAX)
			return fail("item %zu: its size is larger than any memory", i);
	}
	return 0;
}
