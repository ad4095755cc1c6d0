/* SPDX-License-Identifier: MIT */
/*
 * aborts.c - a SIGABRT from outside, as a service manager sends it when its watchdog has run out:
 * supervisor and engine have last words, and all others ignore it.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(aborts, .timeout = 120);

static struct {
	atomic_int running, go;
} * shared;

static int holds(struct brood_job *job)
{
	(void)job;
	shared->running++; /* it runs */
	for (;;)
		pause();
	return 0;
}

static int waits_for_word(struct brood_job *job)
{
	(void)job;
	shared->running++;
	while (shared->go == 0)
		usleep(1000);
	return 0;
}

/* All processes but supervisor and engine get it, as from `systemctl kill -s ABRT`. */
static void ignored(void)
{
	struct brood_options options = { .workers = 2, .spawn = BROOD_SPAWN_CLONE3 };
	const struct brood_job_options job = { .size = sizeof job };
	struct brood_verdict v = { .size = sizeof v };
	struct brood_handle *handle;
	pid_t supervisor, others[16], guard, spawner;
	struct brood *brood;
	int fd, count;

	shared = case_shared();
	brood = pool_start(&options);
	supervisor = proc_supervisor();
	/* a process is found by its title, which it sets a moment after its birth */
	CHECK(WAIT_UNTIL((guard = proc_guard(supervisor)) > 0, 10000));
	CHECK(WAIT_UNTIL((spawner = proc_spawner(supervisor)) > 0, 10000));
	CHECK_EQ(brood_open(brood, waits_for_word, &job, &fd, &handle), 0);
	CHECK(WAIT_UNTIL(shared->running == 1, 10000));
	count = proc_workers(supervisor, others, 14);
	CHECK_EQ(count, 2);
	others[count++] = guard;
	others[count++] = spawner;
	for (int i = 0; i < count; i++)
		CHECK_EQ(kill(others[i], SIGABRT), 0);
	shared->go = 1;
	CHECK_EQ(brood_wait(handle, 10000, &v), 0);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	handle = brood_release(handle);
	close(fd);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).died, 0);
	CHECK_EQ(proc_guard(supervisor), guard);
	CHECK_EQ(proc_spawner(supervisor), spawner);
	pool_stop(brood);
}
Test(aborts, workers_ignore_an_abort_from_outside) { case_run(ignored, 30000); }

static char words_path[64];

/* A job by handoff and one on lease run, a third worker is idle. */
static void aborted(void *context)
{
	const pid_t *whom = context;
	const struct rlimit none = { 0, 0 };
	struct brood_options options = { .workers = 3, .title = "abort" };
	struct brood_job_options job = { .size = sizeof job, .tag = "GET /" };
	struct brood_handle *handle[2];
	struct brood *brood;
	int fd = open(words_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600), jobs[2];

	CHECK_GE(fd, 0);
	CHECK_EQ(dup2(fd, 2), 2);
	setrlimit(RLIMIT_CORE, &none);
	shared = case_shared();
	setenv("WATCHDOG_USEC", "60000000", 1);
	unsetenv("WATCHDOG_PID");
	brood = pool_start(&options);
	for (int i = 0; i < 2; i++) {
		job.dispatch = i ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF;
		CHECK_EQ(brood_open(brood, holds, &job, &jobs[i], &handle[i]), 0);
		CHECK(WAIT_UNTIL(shared->running == i + 1, 10000));
	}
	case_done();
	kill(*whom ? getpid() : proc_supervisor(), SIGABRT);
	for (;;)
		pause();
}

static void check_words(pid_t whom)
{
	const struct case_options options = {
		.body_with = aborted, .context = &whom, .timeout_ms = 30000
	};
	char text[4096] = "";
	ssize_t size;
	int status, fd;

	snprintf(words_path, sizeof words_path, "/tmp/brood-words-%d", (int)getpid());
	status = case_orphaned(&options);
	fd = open(words_path, O_RDONLY);
	size = read(fd, text, sizeof text - 1);
	close(fd);
	unlink(words_path);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d", status);
	cr_assert_gt(size, 0);
	cr_assert(strstr(text,
			  whom ? "abort: SIGABRT in the engine (pid "
			       : "abort: SIGABRT in the supervisor (pid "),
		"%s", text);
	cr_assert(strstr(text, "holds [GET /], for "), "%s", text);
	cr_assert(strstr(text, "holds [GET /] on lease, for "), "%s", text);
	cr_assert(strstr(text, ": idle\n"), "%s", text);
}

Test(aborts, last_words)
{
	check_words(0);
	check_words(1);
}
