/* SPDX-License-Identifier: MIT */
/* map_pace.c - how many items of a map are out where the program gives no number. */
#include "map.h"

#include <criterion/criterion.h>
#include <stdatomic.h>

TestSuite(map, .timeout = 120);

static size_t most; /* that were out, or had ended and were not told */

static int on_item(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;
	size_t out = pool_stats(w->brood).submitted - w->tells;

	most = out > most ? out : most;
	return on_number(context, index, result);
}

static size_t most_of(brood_fn *fn, size_t count, uint32_t path)
{
	struct work w;

	work_start(&w, count, (struct brood_options){ .workers = 2 });
	w.job.dispatch = path;
	most = 0;
	CHECK_EQ(brood_map_named(w.brood, fn, "item", w.items, count, &w.options, on_item, &w),
		(ssize_t)count);
	CHECK_EQ(w.outcomes[BROOD_DONE], count);
	work_end(&w);
	return most;
}

static int job_slow(struct brood_job *job)
{
	usleep(3000);
	return job_number(job);
}

static void short_items(void)
{
	CHECK_GT(most_of(job_number, 5000, BROOD_PATH_AUTO), 20);
	CHECK_LE(most, 256 + 64);
}
ONCE(short_items)

/* Two a worker, and those that have ended meanwhile. */
static void long_items(void) { CHECK_LE(most_of(job_slow, 200, BROOD_PATH_AUTO), 4 + 4); }
ONCE(long_items)

/* They would take the backlog from other threads. */
static void short_items_by_handoff(void)
{
	CHECK_LE(most_of(job_number, 2000, BROOD_PATH_HANDOFF), 4 + 4);
}
ONCE(short_items_by_handoff)
