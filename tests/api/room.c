/* SPDX-License-Identifier: MIT */
/* room.c - brood_start() where the user may have fewer processes than the pool wants. */
#include "pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(room, .timeout = 60);

#define USER    123461u /* has no other process */
#define WORKERS 6

static char lines[2048];

static void keep(void *context, const struct brood_log *log)
{
	size_t have = strlen(lines);

	note_log(context, log);
	if (log->event == BROOD_EVENT_RESOURCE)
		snprintf(lines + have, sizeof lines - have, "%s\n", log->text);
}

static int start_as_user(rlim_t processes, struct brood **ret_brood)
{
	const struct brood_options o = { .size = sizeof o,
		.workers = WORKERS,
		.spawn = BROOD_SPAWN_CLONE3, /* with a spawner */
		.log = keep,
		.drain_ms = 100 };
	struct rlimit limit = { .rlim_cur = processes, .rlim_max = processes };

	CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	CHECK_EQ(setuid(USER), 0);
	/* else /proc/self is root's */
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L), 0);
	return brood_start(&o, ret_brood);
}

static bool has_workers(struct brood *brood, uint32_t count)
{
	brood_dispatch(brood);
	return pool_stats(brood).ready == count;
}

/* Supervisor, engine, guard and spawner are four. */
static void for_no_worker(void)
{
	int fds = proc_own_fds();
	struct brood *brood;

	CHECK_EQ(start_as_user(4, &brood), -EAGAIN);
	CHECK_CONTAINS(brood_error(), "one worker for each pool are 5 processes");
	CHECK_CONTAINS(brood_error(), "RLIMIT_NPROC, for all processes of this user, is 4");
	CHECK_CONTAINS(brood_error(), "LimitNPROC=10");
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(brood_role(), BROOD_ROLE_NONE);
}

static void for_some_workers(void)
{
	struct brood *brood;

	CHECK_MSG(start_as_user(6, &brood) == 0, "%s", brood_error());
	CHECK(WAIT_UNTIL(has_workers(brood, 2), 20000));
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && *lines, 20000));
	CHECK_CONTAINS(lines, "6 workers, supervisor, engine, guard, spawner are 10 processes");
	CHECK_CONTAINS(lines, "is 6: some workers cannot be born");
	CHECK_EQ(brood_wait_ready(brood, 0), -ETIMEDOUT);
	pool_stop(brood);
}

static void for_all_workers(void)
{
	struct brood *brood;

	CHECK_MSG(start_as_user(64, &brood) == 0, "%s", brood_error());
	CHECK_EQ(brood_wait_ready(brood, (uint32_t)test_scaled(POOL_READY_MS)), 0);
	pool_stop(brood);
	CHECK_STR(lines, "");
}

/* root is never refused, whatever the limit is */
static void for_root(void)
{
	struct rlimit limit = { 3, 3 };

	CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	pool_stop(pool_start_workers(WORKERS));
}

/* A start says once what will cost jobs later: here no signal can be queued. */
static void no_signals(void)
{
	const struct brood_options o = { .size = sizeof o, .workers = 2, .log = keep };
	struct rlimit none = { 0, 0 };
	struct brood *brood;
	char *at = lines;
	int count = 0;

	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	CHECK_MSG(brood_start(&o, &brood) == 0, "%s", brood_error());
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && *lines, 20000));
	/* the signals that end a job do not need the queue */
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
	for (; (at = strstr(at, "RLIMIT_SIGPENDING is used up: ")); at++)
		count++;
	CHECK_EQ(count, 1);
	CHECK_CONTAINS(lines, "timer_create: EAGAIN");
}

static void run(void (*body)(void))
{
	if (getuid() != 0)
		cr_skip_test("another user is for root");
	case_run(body, 40000);
}
Test(room, for_no_worker) { run(for_no_worker); }
Test(room, for_some_workers) { run(for_some_workers); }
Test(room, for_all_workers) { run(for_all_workers); }
Test(room, for_root) { run(for_root); }
Test(room, no_signals) { case_run(no_signals, 40000); }
