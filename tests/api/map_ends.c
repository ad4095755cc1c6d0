/* SPDX-License-Identifier: MIT */
/*
 * map_ends.c - brood_map() when jobs or workers end badly, when a callback ends the map, and when
 * the pool has no room, degrades, stops or is lost: each item has its verdict.
 */
#include "map.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(map, .timeout = 120);

/* ---- crashes and hangs ---- */

/* 1 of 100 crashes, 1 of 1000 hangs: it is neither killed nor done within its time. */
static bool crashes(uint32_t number) { return number % 100 == 17; }
static bool hangs(uint32_t number) { return number % 1000 == 500; }
static int job_bad(struct brood_job *job)
{
	uint32_t number = number_of(job);

	if (crashes(number))
		abort();
	if (hangs(number))
		return job_sleep_forever(job);
	return job_number(job);
}

static int on_bad(void *context, size_t index, const struct brood_result *result)
{
	enum brood_outcome want = crashes((uint32_t)index) ? BROOD_CRASHED
		: hangs((uint32_t)index)                   ? BROOD_TIMED_OUT
							   : BROOD_DONE;

	verdict_is(&result->verdict, want, BROOD_DETAIL_NONE);
	return on_number(context, index, result);
}

static void map_bad(struct work *w, uint32_t path)
{
	w->job.dispatch = path;
	w->job.run_ms = 1000; /* no item that is well takes as long on a busy machine */
	w->job.grace_ms = 20;
	CHECK_EQ(brood_map(w->brood, job_bad, w->items, w->count, &w->options, on_bad, w),
		(ssize_t)w->count);
	CHECK_EQ(w->tells, w->count);
}

static void crashes_and_hangs(void)
{
	struct work w;

	work_start(&w, 5000, (struct brood_options){ .workers = 4 });
	map_bad(&w, BROOD_PATH_AUTO);
	CHECK_EQ(w.outcomes[BROOD_CRASHED], 50);
	CHECK_EQ(w.outcomes[BROOD_TIMED_OUT], 5);
	work_end(&w);
}
ONCE(crashes_and_hangs)

static void crashes_and_hangs_in_order(void)
{
	struct work w;

	work_start(&w, 5000, (struct brood_options){ .workers = 4 });
	w.options.flags = BROOD_MAP_ORDERED;
	map_bad(&w, BROOD_PATH_AUTO);
	work_end(&w);
}
ONCE(crashes_and_hangs_in_order)

static void crashes_and_hangs_by_handoff(void)
{
	struct work w;

	work_start(&w, 2000, (struct brood_options){ .workers = 4 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.at_once = 50;
	map_bad(&w, BROOD_PATH_HANDOFF);
	work_end(&w);
}
ONCE(crashes_and_hangs_by_handoff)

/* A window of one: the map goes on behind each item that hangs, one by one. */
static void hang_at_a_closed_window(void)
{
	struct work w;

	work_start(&w, 1000, (struct brood_options){ .workers = 1 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.window = 1;
	map_bad(&w, BROOD_PATH_AUTO);
	work_end(&w);
}
ONCE(hang_at_a_closed_window)

static int job_fails(struct brood_job *job) { return (int)number_of(job) % 2; }

static int on_failed(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;

	CHECK_EQ(result->verdict.code, index % 2);
	w->outcomes[result->verdict.outcome]++;
	w->tells++;
	return 0;
}

static int on_progress_failed(void *context, const struct brood_map_progress *progress)
{
	struct work *w = context;

	w->last = progress->not_done;
	return 0;
}

static void not_done_is_counted(void)
{
	struct work w;

	work_start(&w, 100, (struct brood_options){ 0 });
	w.options.on_progress = on_progress_failed;
	CHECK_EQ(brood_map(w.brood, job_fails, w.items, 100, &w.options, on_failed, &w), 100);
	CHECK_EQ(w.outcomes[BROOD_FAILED], 50);
	CHECK_EQ(w.last, 50);
	work_end(&w);
}
TWICE(not_done_is_counted)

/* ---- ended by a callback ---- */

static int job_long_after_ten(struct brood_job *job)
{
	return number_of(job) < 10 ? job_number(job) : job_until_cancelled(job);
}

/* Jobs that would run for a minute are cancelled and waited for. */
static void ended_by_on_item(void)
{
	struct work w;
	uint64_t began = test_now_ms();

	work_start(&w, 1000, (struct brood_options){ .workers = 3 });
	w.options.at_once = 20;
	w.stop_after = 10;
	CHECK_EQ(WORK_MAP(&w, job_long_after_ten), 10);
	CHECK_EQ(w.tells, 10);
	CHECK_LT(test_now_ms() - began, (uint64_t)test_scaled(20000));
	CHECK(WAIT_UNTIL(pool_stats(w.brood).busy == pool_stats(w.brood).leased, 10000));
	CHECK_EQ(POOL_CALL(w.brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(w.brood).dropped, 0);
	w.fds += 2 * 4 + 3; /* of the call */
	work_end(&w);
}
ONCE(ended_by_on_item)

/* Results that wait for their turn are dropped, with their fds. */
static int job_first_last(struct brood_job *job)
{
	int fd = STDERR_FILENO;

	if (number_of(job) == 5)
		usleep(200000);
	return brood_job_reply_fds(job, &fd, 1) == 0 ? job_number(job) : 1;
}

static void ended_while_results_wait(void)
{
	struct work w;

	work_start(&w, 1000, (struct brood_options){ .workers = 3 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.stop_after = 6;
	CHECK_EQ(WORK_MAP(&w, job_first_last), 6);
	CHECK_EQ(w.last, 5);
	work_end(&w);
}
TWICE(ended_while_results_wait)

static int on_progress_ends(void *context, const struct brood_map_progress *progress)
{
	(void)context;
	return progress->elapsed_us > 50000;
}

/* No item ends, and the program gives up all the same. */
static void ended_by_on_progress(void)
{
	struct work w;

	work_start(&w, 100, (struct brood_options){ 0 });
	w.options.on_progress = on_progress_ends;
	w.options.progress_ms = 10;
	CHECK_EQ(WORK_MAP(&w, job_until_cancelled), 0);
	CHECK_EQ(w.tells, 0);
	work_end(&w);
}
ONCE(ended_by_on_progress)

static void ended_at_the_last(void)
{
	struct work w;

	work_start(&w, 50, (struct brood_options){ 0 });
	w.stop_after = 50;
	CHECK_EQ(WORK_MAP(&w, job_number), 50);
	work_end(&w);
}
TWICE(ended_at_the_last)

/* ---- no room ---- */

/* By handoff the supervisor has room for 1 + 1 jobs, and the map wants 64 at once. */
static void tiny_backlog(void)
{
	struct work w;

	work_start(&w, 500, (struct brood_options){ .workers = 1, .backlog = 1 });
	w.options.at_once = 64;
	w.options.flags = BROOD_MAP_ORDERED;
	w.job.dispatch = BROOD_PATH_HANDOFF;
	CHECK_EQ(WORK_MAP(&w, job_number), 500);
	CHECK_EQ(w.outcomes[BROOD_DONE], 500);
	work_end(&w);
}
ONCE(tiny_backlog)

/* The room is taken by jobs of others, for a while, so that none of the map's is out. */
static void others_have_the_room(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_HANDOFF };
	struct brood_handle *handles[2];
	struct work w;
	int fds[2];

	work_start(&w, 50, (struct brood_options){ .workers = 1, .backlog = 1, .run_ms = 300 });
	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_open(w.brood, job_until_cancelled, &o, &fds[i], &handles[i]), 0);
	w.job.dispatch = BROOD_PATH_HANDOFF;
	CHECK_EQ(WORK_MAP(&w, job_number), 50);
	CHECK_EQ(w.outcomes[BROOD_DONE], 50);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		CHECK_EQ(brood_wait(handles[i], BOUND, NULL), 0);
		brood_release(handles[i]);
	}
	work_end(&w);
}
ONCE(others_have_the_room)

/* ---- the pool degrades ---- */

static int init_after_a_crash(void *context)
{
	atomic_int *born = context;

	return atomic_fetch_add(born, 1) < 2 ? 0 : 1;
}

static int job_crashes_at_100(struct brood_job *job)
{
	uint32_t number = number_of(job);

	if (number >= 100)
		abort();
	return job_number(job);
}

/* Workers that died have no successor: from then on the pool refuses, each item by itself. */
static void degraded(void)
{
	struct work w;

	work_start(&w, 2000,
		(struct brood_options){ .worker_init = init_after_a_crash,
			.hook_context = case_shared(),
			.start_limit = 3,
			.backoff_min_ms = 10 });
	w.options.flags = BROOD_MAP_ORDERED;
	CHECK_EQ(WORK_MAP(&w, job_crashes_at_100), 2000);
	CHECK_GE(w.outcomes[BROOD_DONE], 100);
	CHECK_GE(w.outcomes[BROOD_CRASHED], 2);
	CHECK_GE(w.outcomes[BROOD_REFUSED], 1000);
	work_end(&w);
}
ONCE(degraded)

/* ---- the pool stops, or is lost ---- */

static void *stops(void *brood)
{
	usleep(20000);
	CHECK_EQ(brood_stop(brood), 0);
	return NULL;
}

static int job_millisecond(struct brood_job *job)
{
	usleep(1000);
	return job_number(job);
}

static void stop_in_the_middle(void)
{
	struct work w;
	pthread_t thread;

	work_start(&w, 3000, (struct brood_options){ .drain_ms = 1000 });
	w.options.flags = BROOD_MAP_ORDERED;
	CHECK_EQ(pthread_create(&thread, NULL, stops, w.brood), 0);
	REFUSES(WORK_MAP(&w, job_millisecond), -ESHUTDOWN, "brood_stop");
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(w.tells, 3000);
	CHECK_GE(w.outcomes[BROOD_DONE], 1);
	CHECK_EQ(w.outcomes[BROOD_DONE] + w.outcomes[BROOD_REFUSED], 3000);
	REFUSES(WORK_MAP(&w, job_number), -ESHUTDOWN, "brood_stop");
	CHECK_LE(proc_own_fds(), w.fds);
	work_items_free(&w);
}
ONCE(stop_in_the_middle)

static int on_stops(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;

	if (index == 100)
		CHECK_EQ(brood_stop(w->brood), 0);
	return on_number(context, index, result);
}

/* The program stops the pool from on_item. Items that are out are drained, the others refused. */
static void stop_in_on_item(void)
{
	struct work w;

	work_start(&w, 1000, (struct brood_options){ 0 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.window = 300; /* at item 100, no item above 400 was given */
	REFUSES(brood_map(w.brood, job_number, w.items, 1000, &w.options, on_stops, &w), -ESHUTDOWN,
		"brood_stop");
	CHECK_EQ(w.tells, 1000);
	CHECK_GE(w.outcomes[BROOD_DONE], 101);
	CHECK_GE(w.outcomes[BROOD_REFUSED], 500);
	CHECK_LE(proc_own_fds(), w.fds);
	work_items_free(&w);
}
TWICE(stop_in_on_item)

/* Also of a result that was held, and of an item that was refused. */
static int on_tag(void *context, size_t index, const struct brood_result *result)
{
	CHECK_STR(result->tag, "a tag");
	return on_stops(context, index, result);
}

static int on_no_tag(void *context, size_t index, const struct brood_result *result)
{
	CHECK_STR(result->tag, "");
	return on_number(context, index, result);
}

static void tags(void)
{
	struct work w;

	work_start(&w, 1000, (struct brood_options){ .workers = 4 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.window = 300;
	CHECK_EQ(brood_map(w.brood, job_number, w.items, 1000, &w.options, on_no_tag, &w), 1000);
	work_items_free(&w);
	work_items(&w, 1000);
	w.job.tag = "a tag";
	REFUSES(brood_map(w.brood, job_number, w.items, 1000, &w.options, on_tag, &w), -ESHUTDOWN,
		"brood_stop");
	CHECK_EQ(w.tells, 1000);
	CHECK_GE(w.outcomes[BROOD_REFUSED], 500);
	work_items_free(&w);
}
TWICE(tags)

static void stopped_before(void)
{
	struct work w;

	work_start(&w, 5, (struct brood_options){ 0 });
	CHECK_EQ(brood_stop(w.brood), 0);
	REFUSES(WORK_MAP(&w, job_number), -ESHUTDOWN, "brood_stop");
	CHECK_EQ(w.tells, 0);
	work_items_free(&w);
}
TWICE(stopped_before)

/* The channel to the supervisor breaks. */
static int on_breaks(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;
	int type = 0;
	socklen_t size = sizeof type;

	for (int fd = 3; index == 50 && fd < 256; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
			type == SOCK_SEQPACKET)
			shutdown(fd, SHUT_RDWR);
	if (index > 50 && result->verdict.outcome != BROOD_DONE)
		verdict_is(&result->verdict, BROOD_LOST, BROOD_DETAIL_CHANNEL);
	return on_number(w, index, result);
}

static void lost(void)
{
	struct work w;

	work_start(&w, 3000, (struct brood_options){ .drain_ms = 100 });
	w.options.flags = BROOD_MAP_ORDERED;
	w.options.window = 300;
	REFUSES(brood_map(w.brood, job_millisecond, w.items, 3000, &w.options, on_breaks, &w),
		-ENOTCONN, "supervisor");
	CHECK_EQ(w.tells, 3000);
	CHECK_GE(w.outcomes[BROOD_DONE], 50);
	CHECK_GE(w.outcomes[BROOD_LOST], 2000);
	brood_stop(w.brood);
	work_items_free(&w);
}
ONCE(lost)
