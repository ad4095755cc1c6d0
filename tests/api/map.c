/* SPDX-License-Identifier: MIT */
/* map.c - brood_map() while all goes well: order, bounds, progress, fds, threads. */
#include "map.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(map, .timeout = 120);

static void as_they_come(void)
{
	struct work w;

	work_start(&w, 3000, (struct brood_options){ 0 });
	CHECK_EQ(WORK_MAP(&w, job_number), 3000);
	CHECK_EQ(w.tells, 3000);
	CHECK_EQ(w.outcomes[BROOD_DONE], 3000);
	work_end(&w);
}
TWICE(as_they_come)

static void in_order(void)
{
	struct work w;

	work_start(&w, 3000, (struct brood_options){ 0 });
	w.options.flags = BROOD_MAP_ORDERED;
	CHECK_EQ(WORK_MAP(&w, job_number), 3000);
	CHECK_EQ(w.outcomes[BROOD_DONE], 3000);
	work_end(&w);
}
TWICE(in_order)

/* Both transports, one at a time and very many, a window of one and of a few. */
static void every_size(void)
{
	static const uint32_t paths[] = { BROOD_PATH_AUTO, BROOD_PATH_HANDOFF, BROOD_PATH_LEASE },
			      sizes[] = { 1, 3, 64, 65536 };
	const size_t count = mode ? 20 : 100; /* inline, each item has a thread made for it */
	struct work w;

	work_start(&w, 0, (struct brood_options){ .workers = 3 });
	for (size_t i = 0; i < 3 * 4 * 4; i++) {
		work_items_free(&w);
		work_items(&w, count);
		w.job.dispatch = paths[i % 3];
		w.options.at_once = sizes[i / 3 % 4];
		w.options.flags = i / 12 > 0 ? BROOD_MAP_ORDERED : 0;
		w.options.window = i / 12 > 1 ? sizes[i / 12 - 2] : 0;
		w.options.window_bytes = i / 12 > 2 ? 100 : 0;
		CHECK_EQ(WORK_MAP(&w, job_number), (ssize_t)count);
		CHECK_EQ(w.outcomes[BROOD_DONE], count);
	}
	work_end(&w);
}
TWICE(every_size)

static void one_worker(void)
{
	struct work w;

	work_start(&w, 500, (struct brood_options){ .workers = 1 });
	w.options.flags = BROOD_MAP_ORDERED;
	CHECK_EQ(WORK_MAP(&w, job_number), 500);
	work_end(&w);
}
TWICE(one_worker)

static int on_progress(void *context, const struct brood_map_progress *progress)
{
	struct work *w = context;

	CHECK_EQ(progress->size, sizeof *progress);
	CHECK_EQ(progress->count, w->count);
	CHECK_GE(progress->ended, w->tells);
	CHECK_LE(progress->ended + progress->out, w->count);
	CHECK_EQ(progress->not_done, 0);
	w->last = progress->ended;
	return 0;
}

static void nothing(void)
{
	struct work w;

	work_start(&w, 0, (struct brood_options){ 0 });
	w.last = 77;
	w.options.on_progress = on_progress;
	CHECK_EQ(WORK_MAP(&w, job_number), 0);
	CHECK_EQ(w.last, 0);
	CHECK_EQ(brood_map(w.brood, job_number, NULL, 0, NULL, on_number, &w), 0);
	CHECK_EQ(w.tells, 0);
	work_end(&w);
}
TWICE(nothing)

/* ---- progress ---- */

static int job_slow(struct brood_job *job)
{
	usleep(200000);
	return job_number(job);
}

static int on_slow_progress(void *context, const struct brood_map_progress *progress)
{
	struct work *w = context;

	if (progress->ended < w->count)
		w->stop_after++; /* how often it was told while items were out */
	CHECK_GE(progress->elapsed_us, 1000);
	return on_progress(context, progress);
}

/* Progress is told while no item ends, and once more at the end. */
static void progress_while_nothing_ends(void)
{
	struct work w;

	work_start(&w, 2, (struct brood_options){ 0 });
	w.options.on_progress = on_slow_progress;
	w.options.progress_ms = 20;
	w.stop_after = 1000;
	CHECK_EQ(WORK_MAP(&w, job_slow), 2);
	CHECK_GE(w.stop_after, 1003); /* 9, on a machine with time */
	CHECK_EQ(w.last, 2);
	work_end(&w);
}
ONCE(progress_while_nothing_ends)

static int on_seldom(void *context, const struct brood_map_progress *progress)
{
	struct work *w = context;

	CHECK_EQ(progress->ended, w->count);
	w->last = 4711;
	return 0;
}

static void progress_only_at_the_end(void)
{
	struct work w;

	work_start(&w, 500, (struct brood_options){ 0 });
	w.options.on_progress = on_seldom;
	w.options.progress_ms = BROOD_FOREVER;
	CHECK_EQ(WORK_MAP(&w, job_number), 500);
	CHECK_EQ(w.last, 4711);
	work_end(&w);
}
TWICE(progress_only_at_the_end)

/* ---- sizes ---- */

#define LARGE (3u << 20)

static int job_sum(struct brood_job *job)
{
	size_t size;
	const unsigned char *bytes = brood_job_request(job, &size);
	uint64_t sum = size;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return brood_job_reply(job, &sum, sizeof sum) == (ssize_t)sizeof sum ? 0 : 1;
}

static int on_sum(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;
	uint64_t sum, want = w->items[index].iov_len;

	for (size_t i = 0; i < w->items[index].iov_len; i++)
		want += ((unsigned char *)w->items[index].iov_base)[i];
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	CHECK_EQ(result->reply_size, sizeof sum);
	memcpy(&sum, result->reply, sizeof sum);
	CHECK_EQ(sum, want);
	w->tells++;
	return 0;
}

/* 0 bytes, with and without a pointer, and megabytes, beside each other. */
static void sizes_of_items(void)
{
	unsigned char *large = malloc(LARGE);
	struct work w;

	for (size_t i = 0; large && i < LARGE; i++)
		large[i] = (unsigned char)(i % 251);
	work_start(&w, 60, (struct brood_options){ 0 });
	for (size_t i = 0; i < 60; i++) {
		static const size_t sizes[] = { 0, 1, 65536, LARGE, 0, 70000 };

		w.items[i].iov_len = sizes[i % 6];
		w.items[i].iov_base = i % 6 == 4 ? NULL : large;
	}
	w.options.flags = BROOD_MAP_ORDERED;
	CHECK_EQ(brood_map(w.brood, job_sum, w.items, 60, &w.options, on_sum, &w), 60);
	CHECK_EQ(w.tells, 60);
	work_end(&w);
	free(large);
}
TWICE(sizes_of_items)

static int job_large_reply(struct brood_job *job)
{
	char *reply = malloc(LARGE);
	uint32_t number = number_of(job);
	ssize_t n;

	if (number == 0)
		usleep(100000); /* so that other replies wait for their turn */
	memset(reply, (int)number, LARGE);
	n = brood_job_reply(job, reply, LARGE);
	free(reply);
	return n == LARGE ? 0 : 1;
}

static int on_large_reply(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;
	const unsigned char *reply = result->reply;

	CHECK_EQ(index, w->tells);
	CHECK_EQ(result->reply_size, LARGE);
	for (size_t i = 0; i < LARGE; i += 4096)
		CHECK_EQ(reply[i], index);
	w->tells++;
	return 0;
}

static void large_replies_in_order(void)
{
	struct work w;

	work_start(&w, 40, (struct brood_options){ 0 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.window_bytes = 4 * LARGE;
	CHECK_EQ(brood_map(w.brood, job_large_reply, w.items, 40, &w.options, on_large_reply, &w),
		40);
	work_end(&w);
}
TWICE(large_replies_in_order)

/* ---- fds ---- */

static int job_sends_fd(struct brood_job *job)
{
	uint32_t number = number_of(job);
	int fds[2], r;

	if (number % 8 == 0)
		usleep(10000);
	if (pipe(fds) < 0 || write(fds[1], &number, sizeof number) != sizeof number)
		return 1;
	r = brood_job_reply_fds(job, fds, 1);
	close(fds[0]);
	close(fds[1]);
	return r == 0 ? job_number(job) : 2;
}

/* Every second one is kept, and read. */
static int on_fd(void *context, size_t index, const struct brood_result *result)
{
	uint32_t number = 0;

	CHECK_EQ(result->fds_count, 1);
	if (index % 2 == 0) {
		int fd = result->fds[0];

		result->fds[0] = -1;
		CHECK_EQ(read(fd, &number, sizeof number), sizeof number);
		CHECK_EQ(number, index);
		CHECK_EQ(close(fd), 0);
	}
	return on_number(context, index, result);
}

static void fds_of_replies(void)
{
	struct work w;

	work_start(&w, 200, (struct brood_options){ 0 });
	for (int round = 0; round < 2; round++) {
		w.options.flags = round ? 0 : BROOD_MAP_ORDERED;
		CHECK_EQ(
			brood_map(w.brood, job_sends_fd, w.items, 200, &w.options, on_fd, &w), 200);
		CHECK_EQ(w.outcomes[BROOD_DONE], 200);
		work_items_free(&w);
		work_items(&w, 200);
	}
	work_end(&w);
}
TWICE(fds_of_replies)

/* ---- job options, inner calls, threads ---- */

static int job_arg(struct brood_job *job)
{
	size_t size;
	const char *arg = brood_job_arg(job, &size);

	return size == 4 && memcmp(arg, "each", 4) == 0 && brood_job_extra_fds(job) == 1
		? job_number(job)
		: 1;
}

/* Each job gets the argument and the fds. */
static void options_of_jobs(void)
{
	struct work w;
	int null = 2;

	work_start(&w, 100, (struct brood_options){ 0 });
	w.job.arg = "each";
	w.job.arg_size = 4;
	w.job.fds = &null;
	w.job.fds_count = 1;
	w.job.flags = BROOD_JOB_MORE | BROOD_JOB_ONCE;
	CHECK_EQ(WORK_MAP(&w, job_arg), 100);
	CHECK_EQ(w.outcomes[BROOD_DONE], 100);
	work_end(&w);
}
TWICE(options_of_jobs)

static int on_outer(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;
	struct work inner = { .brood = w->brood,
		.count = 20,
		.items = w->items,
		.options = w->options,
		.told = calloc(20, 1) };
	struct brood_verdict v;

	if (index % 10 == 0) {
		CHECK_EQ(WORK_MAP(&inner, job_number), 20);
		CHECK_EQ(inner.outcomes[BROOD_DONE], 20);
		CHECK_EQ(brood_call(w->brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), 0);
	}
	free(inner.told);
	return on_number(context, index, result);
}

/* on_item makes calls of its own, another map among them. */
static void map_in_a_map(void)
{
	struct work w;

	work_start(&w, 100, (struct brood_options){ 0 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.fds += 2 * 4 + 3; /* this thread's calls: its queue, the callers' queue, a lease */
	CHECK_EQ(brood_map(w.brood, job_number, w.items, 100, &w.options, on_outer, &w), 100);
	work_end(&w);
}
TWICE(map_in_a_map)

static void *maps(void *context)
{
	struct work *w = context;

	CHECK_EQ(WORK_MAP(w, job_number), (ssize_t)w->count);
	CHECK_EQ(w->outcomes[BROOD_DONE], w->count);
	return NULL;
}

/* Two threads map, and a third one calls. */
static void threads(void)
{
	struct work w, others[2];
	pthread_t ids[2];

	work_start(&w, 0, (struct brood_options){ 0 });
	for (int i = 0; i < 2; i++) {
		others[i] = w;
		work_items(&others[i], 2000);
		others[i].options.job = NULL;
		others[i].options.flags = i ? BROOD_MAP_ORDERED : 0;
		CHECK_EQ(pthread_create(&ids[i], NULL, maps, &others[i]), 0);
	}
	for (int i = 0; i < 50; i++)
		CHECK_EQ(POOL_CALL(w.brood, job_nothing).outcome, BROOD_DONE);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(ids[i], NULL), 0);
		work_items_free(&others[i]);
	}
	CHECK_EQ(brood_stop(w.brood), 0);
	work_items_free(&w);
}
TWICE(threads)

/* ---- bounds ---- */

/* How much memory this process has got, in KiB. */
static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	CHECK(file && fscanf(file, "%*s %ld", &pages) == 1);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int job_kilobyte(struct brood_job *job)
{
	char reply[1000] = { 0 };

	if (number_of(job) % 20000 == 0)
		usleep(300000);
	return brood_job_reply(job, reply, sizeof reply) == (ssize_t)sizeof reply ? 0 : 1;
}

static int on_kilobyte(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;

	CHECK_EQ(index, w->tells++);
	CHECK_EQ(result->reply_size, 1000);
	return 0;
}

/* 100,000 results of a kilobyte, in order, while five items are late: 2 MiB wait at most. */
static void memory_has_a_bound(void)
{
	struct work w;
	long before;

	work_start(&w, 100000, (struct brood_options){ 0 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.window_bytes = 2 << 20;
	w.options.at_once = 64;
	before = resident_kb();
	CHECK_EQ(brood_map(w.brood, job_kilobyte, w.items, w.count, &w.options, on_kilobyte, &w),
		100000);
	note("%ld KiB, then %ld KiB", before, resident_kb());
#ifndef __SANITIZE_ADDRESS__ /* whose allocator keeps what is freed */
	CHECK_LE(resident_kb(), before + 12 * 1024);
#endif
	work_end(&w);
}
ONCE(memory_has_a_bound)

/* No more than at_once jobs are out: that many have a worker or wait for one. */
static int job_meets(struct brood_job *job)
{
	atomic_uint *out = case_shared(); /* now, and the most */
	unsigned now = atomic_fetch_add(&out[0], 1) + 1, most = atomic_load(&out[1]);

	while (now > most && !atomic_compare_exchange_weak(&out[1], &most, now))
		;
	usleep(1000);
	atomic_fetch_sub(&out[0], 1);
	return job_number(job);
}

static void no_more_at_once(void)
{
	atomic_uint *out = case_shared();
	struct work w;

	work_start(&w, 200, (struct brood_options){ .workers = 6 });
	w.options.at_once = 3;
	CHECK_EQ(WORK_MAP(&w, job_meets), 200);
	CHECK_LE(atomic_load(&out[1]), 3);
	CHECK_GE(atomic_load(&out[1]), 2);
	work_end(&w);
}
ONCE(no_more_at_once)

/* Inline, on_item has an item before the next one runs. */
static int on_after_each(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;

	CHECK_EQ(pool_stats(w->brood).submitted, index + 1);
	return on_number(context, index, result);
}

static void one_after_the_other_inline(void)
{
	struct work w;

	work_start(&w, 50, (struct brood_options){ .flags = BROOD_INLINE });
	w.options.at_once = 20;
	CHECK_EQ(brood_map(w.brood, job_number, w.items, 50, &w.options, on_after_each, &w), 50);
	work_end(&w);
}
ONCE(one_after_the_other_inline)
