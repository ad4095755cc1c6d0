/* SPDX-License-Identifier: MIT */
/*
 * together_ends.c - several threads, or threads and an event loop, on one queue or one lease, when
 * something ends: a lease, a queue, the pool, the room for files.
 */
#include "pool.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(together, .timeout = 120);

#define BOUND 20000

static struct brood *brood;
static struct brood *start(const struct brood_options *options)
{
	return brood = pool_start(options);
}

/* ---- ends ---- */

/* A handle is its owner's, also when the lease that its job was on has ended. */
static void handle_after_lease(void)
{
	struct brood_job_options o = { .size = sizeof o };
	struct brood_handle *handles[3];
	struct brood_verdict v;
	int fd;

	start(&(struct brood_options){ .workers = 1 });
	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_open(brood, job_echo, &o, &fd, &handles[i]), 0);
		close(fd);
	}
	CHECK(!brood_lease_end(o.lease));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_wait(handles[i], BOUND, &v), 0);
		CHECK(v.outcome == BROOD_DONE || v.detail == BROOD_DETAIL_LEASE_OVER);
		brood_release(handles[i]);
	}
	pool_stop(brood);
}
Test(together, handle_after_lease) { case_run(handle_after_lease, 2 * BOUND); }

/* A queue that goes takes its jobs with it, on both paths: no worker goes on with one. */
static void freed_queue(void)
{
	struct brood_job_options o = { .size = sizeof o, .run_ms = BROOD_FOREVER, .grace_ms = 100 };

	start(&(struct brood_options){ .workers = 2 });
	for (int way = 0; way < 20; way++) {
		CHECK_EQ(brood_queue_new(brood, NULL, &o.queue), 0);
		o.dispatch = way % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF;
		for (int i = 0; i < 12; i++)
			CHECK_EQ(brood_submit(brood, job_sleep_forever, NULL, 0, &o, NULL), 0);
		if (way % 3 == 0)
			brood_queue_wait(o.queue, 20); /* some have begun, or not */
		brood_queue_free(o.queue);
	}
	CHECK(WAIT_UNTIL(
		pool_stats(brood).leased == 0 && pool_stats(brood).busy == 0 && pool_full(brood),
		BOUND));
	CHECK_EQ(brood_stop(brood), 0);
}
Test(together, freed_queue) { case_run(freed_queue, 3 * BOUND); }

/*
 * The queue time is one, also when a job stands behind one that takes long, and then behind the
 * next.
 */
static int job_naps(struct brood_job *job)
{
	(void)job;
	usleep(90000);
	return 0;
}
static void queue_time(void)
{
	struct brood_job_options o = {
		.size = sizeof o, .queue_ms = 300, .dispatch = BROOD_PATH_LEASE
	};
	const struct brood_result *results[16];
	int refused = 0, n;

	start(&(struct brood_options){ .workers = 1 });
	CHECK_EQ(brood_queue_new(brood, NULL, &o.queue), 0);
	for (int i = 0; i < 16; i++)
		/* 1.4 s in all */
		CHECK_EQ(brood_submit(brood, job_naps, NULL, 0, &o, NULL), 0);
	while (brood_queue_wait(o.queue, BOUND) > 0) {
		n = brood_take(o.queue, results, 16);
		for (int i = 0; i < n; i++)
			refused += results[i]->verdict.outcome == BROOD_REFUSED &&
				results[i]->verdict.detail == BROOD_DETAIL_QUEUE_TIME;
	}
	CHECK_GT(refused, 0);
	brood_queue_free(o.queue);
	pool_stop(brood);
}
Test(together, queue_time) { case_run(queue_time, 2 * BOUND); }

/* The log callback may ask for the counters, in the stop too: no lock is held. */
static void asks_for_stats(void *context, const struct brood_log *line)
{
	struct brood_stats s = { .size = sizeof s };

	(void)context, (void)line;
	if (brood)
		CHECK_EQ(brood_stats(brood, &s), 0);
}
static int job_says(struct brood_job *job)
{
	for (int i = 0; i < 5; i++) {
		usleep(20000);
		brood_job_log(job, BROOD_NOTICE, "a line");
	}
	return 0;
}
static void log_in_stop(void)
{
	struct brood_job_options o = { .size = sizeof o };

	start(&(struct brood_options){ .workers = 2, .log = asks_for_stats });
	for (int i = 0; i < 4; i++)
		CHECK_EQ(brood_submit(brood, job_says, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(together, log_in_stop) { case_run(log_in_stop, 2 * BOUND); }

/* Whatever way was asked for. */
static void after_stop(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_handle *handle = NULL;
	int fd = -1;

	start(&(struct brood_options){ .workers = 1 });
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, NULL), -ESHUTDOWN);
	CHECK_EQ(brood_open(brood, job_nothing, &o, &fd, &handle), -ESHUTDOWN);
	CHECK(!handle && fd == -1);
}
Test(together, after_stop) { case_run(after_stop, 2 * BOUND); }

/* ---- few files ---- */

static char big[100000];
static int job_big(struct brood_job *job)
{
	return brood_job_reply(job, big, sizeof big) == sizeof big ? 0 : 1;
}

static struct rlimit no_more_files(void)
{
	struct rlimit old, now;
	int next = dup(0);

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	close(next);
	now = old;
	now.rlim_cur = (rlim_t)next;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
	return old;
}

/*
 * A large reply comes as a file. Where that is lost there are no bytes; the verdict says how many
 * there were.
 */
static void reply_without_files(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	const struct brood_result *result;
	struct rlimit old;

	start(&(struct brood_options){ .workers = 1 });
	CHECK_EQ(brood_queue_new(brood, NULL, &o.queue), 0);
	for (int lost = 0; lost < 2; lost++) {
		/* gives the first one's file back */
		CHECK_EQ(brood_take(o.queue, &result, 0), 0);
		if (lost)
			old = no_more_files();
		CHECK_EQ(brood_submit(brood, job_big, NULL, 0, &o, NULL), 0);
		CHECK_EQ(brood_queue_wait(o.queue, BOUND), 1);
		CHECK_EQ(brood_take(o.queue, &result, 1), 1);
		CHECK_EQ(result->verdict.outcome, BROOD_DONE);
		CHECK_EQ(result->verdict.reply_size, sizeof big);
		CHECK_EQ(result->reply_size, (lost ? 0 : sizeof big));
		CHECK(lost ? !result->reply
			   : (result->reply && memcmp(result->reply, big, sizeof big) == 0));
	}
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	brood_queue_free(o.queue);
	pool_stop(brood);
}
Test(together, reply_without_files) { case_run(reply_without_files, 2 * BOUND); }

/*
 * Threads for which there were no files take the slow way; when there are some again, the fast one.
 */
static void queues_after_files(void)
{
	struct brood_verdict v = { .path = BROOD_PATH_AUTO };
	struct rlimit old;

	start(&(struct brood_options){ .workers = 2 });
	old = no_more_files();
	for (int i = 0; i < 20; i++)
		brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	CHECK(WAIT_UNTIL(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v) == 0 &&
			v.path == BROOD_PATH_LEASE,
		BOUND));
	pool_stop(brood);
}
Test(together, queues_after_files) { case_run(queues_after_files, 2 * BOUND); }
