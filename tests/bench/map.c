/* SPDX-License-Identifier: MIT */
/*
 * map.c - brood_map() in order, over items of which 1 in 100 crashes and 1 in 1000 hangs, beside
 * list scheduling of the same run times: each item goes to the worker that is free first, and a
 * worker that has ended an item, well or badly, is free at once. No program can know the run times
 * before, so no order of giving is much better than this. What the map takes longer is the way of
 * jobs, the births of workers, and the wait of items behind others that take long.
 *
 * Jobs sleep. So the figure is the library's, and not that of the number of CPUs.
 *
 * Each item's verdict comes once and in order, or the run fails. While an item hangs, thousands of
 * later ones wait for their turn, with a reply of 1 KiB each: what the engine's memory gains
 * meanwhile is told, too.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#define RUN_MS   500u /* no item that is well takes as long on a busy machine */
#define GRACE_MS 20u
#define WINDOW   (8u << 20) /* bytes that wait for their turn */
#define REPLY    1024u

struct item {
	uint32_t number, sleep_us;
};
struct work {
	struct item *items;
	struct iovec *pieces;
	uint64_t *run_us; /* of each item, as its verdict says */
	size_t told;
	uint64_t before_kb, most_kb; /* memory of this process */
};

static struct brood *brood;
static struct work work;

static bool crashes(uint32_t number) { return number % 100 == 17; }
static bool hangs(uint32_t number) { return number % 1000 == 500; }

static int job_item(struct brood_job *job)
{
	const struct item *item = brood_job_request(job, NULL);
	unsigned char reply[REPLY] = { 0 };

	if (!item)
		return 1;
	memcpy(reply, &item->number, sizeof item->number);
	if (crashes(item->number))
		abort();
	while (hangs(item->number))
		nanosleep(&(struct timespec){ .tv_sec = 1000 }, NULL);
	nanosleep(&(struct timespec){ .tv_nsec = (long)item->sleep_us * 1000 }, NULL);
	return brood_job_reply(job, reply, sizeof reply) < 0;
}

static void nothing(void *context, const struct brood_log *log) { (void)context, (void)log; }

static void map_open(const struct params *p)
{
	struct brood_options o = { .flags = BROOD_NO_CORE, .log = nothing };
	uint32_t random = 1;

	brood = pool_start(p, &o);
	work.items = calloc(p->fixed, sizeof *work.items);
	work.pieces = calloc(p->fixed, sizeof *work.pieces);
	work.run_us = calloc(p->fixed, sizeof *work.run_us);
	station_need(work.items && work.pieces && work.run_us, "calloc");
	memset(work.run_us, 1,
		p->fixed * sizeof *work.run_us); /* its pages are no gain of the map */
	for (uint32_t i = 0; i < p->fixed; i++) {
		random = random * 1664525u + 1013904223u;
		work.items[i] = (struct item){ i, 200 + (random >> 8) % 1600 };
		work.pieces[i] = (struct iovec){ &work.items[i], sizeof work.items[i] };
	}
}

static uint64_t memory_kb(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long kb = 0;
	char line[128];

	station_need(file != NULL, "/proc/self/status");
	while (fgets(line, sizeof line, file) && sscanf(line, "RssAnon: %llu", &kb) != 1)
		;
	fclose(file);
	return kb;
}

/* Results wait in the largest number when an item that hangs has its verdict at last. */
static void watch_memory(size_t index)
{
	uint64_t kb;

	if (!hangs((uint32_t)index) && index % 1000 > 0)
		return;
	kb = memory_kb();
	if (kb > work.most_kb)
		work.most_kb = kb;
}

static int on_item(void *context, size_t index, const struct brood_result *result)
{
	const struct brood_verdict *v = &result->verdict;
	enum brood_outcome want = crashes((uint32_t)index) ? BROOD_CRASHED
		: hangs((uint32_t)index)                   ? BROOD_TIMED_OUT
							   : BROOD_DONE;
	uint32_t number = (uint32_t)index;
	char text[300];

	(void)context;
	if (index != work.told++ || v->outcome != want ||
		(v->outcome == BROOD_DONE &&
			(result->reply_size != REPLY ||
				memcmp(result->reply, &number, sizeof number) != 0))) {
		brood_verdict_format(v, text, sizeof text);
		station_fail("item %zu: %s", index, text);
	}
	work.run_us[index] = v->run_us;
	watch_memory(index);
	return 0;
}

/* The time until the last of these items has ended, on so many workers. */
static uint64_t list_schedule(const uint64_t *run_us, size_t count, uint32_t workers)
{
	uint64_t *free_at = calloc(workers, sizeof *free_at), end = 0;

	station_need(free_at != NULL, "calloc");
	for (size_t i = 0; i < count; i++) {
		uint32_t first = 0;

		for (uint32_t w = 1; w < workers; w++)
			if (free_at[w] < free_at[first])
				first = w;
		free_at[first] += run_us[i];
		if (free_at[first] > end)
			end = free_at[first];
	}
	free(free_at);
	return end;
}

static void map_block(const struct params *p, uint32_t jobs, double *values)
{
	struct brood_job_options job = {
		.size = sizeof job, .run_ms = RUN_MS, .grace_ms = GRACE_MS
	};
	struct brood_map_options options = { .size = sizeof options,
		.flags = BROOD_MAP_ORDERED,
		.window_bytes = WINDOW,
		.job = &job };
	uint64_t began;

	work.told = 0;
	if (!work.before_kb) /* memory that a round has freed may stay with the process */
		work.before_kb = memory_kb();
	work.most_kb = work.before_kb;
	began = now_ns();
	if (brood_map(brood, job_item, work.pieces, jobs, &options, on_item, NULL) != (ssize_t)jobs)
		station_fail("brood_map: %s", brood_error());
	values[0] = us_each(now_ns() - began, jobs);
	if (work.told != jobs)
		station_fail("only %zu items had a verdict", work.told);
	values[1] = (double)list_schedule(work.run_us, jobs, p->workers) / jobs;
	values[2] = (double)(work.most_kb - work.before_kb);
}

const struct kind bench_map = { map_open, map_block, NULL };
