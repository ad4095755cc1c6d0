/* SPDX-License-Identifier: MIT */
/*
 * residue.c - residue of jobs that is hard to find, or hard to ascribe to a job. hygiene.c has the
 * plain cases.
 */
#define _GNU_SOURCE
#include "../helpers/residue_jobs.h"
#include "../../src/worker/worker_lease.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

TestSuite(residue, .timeout = 120);

static int number_of(struct brood_job *job) { return *(const int *)brood_job_arg(job, NULL); }

/* ---- nobody is blamed for another ---- */

static int makes_short_calls(struct brood_job *job)
{
	(void)job;
	return getppid() < 0;
}

static int ignores(struct brood_job *job)
{
	signal(number_of(job), SIG_IGN);
	return usleep(1000);
}

static int ignores_shortly(struct brood_job *job)
{
	signal(number_of(job), SIG_IGN);
	return 0;
}

static int other_mask(struct brood_job *job)
{
	struct sigaction action;

	sigaction(SIGTERM, NULL, &action);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGTERM, &action, NULL);
	return number_of(job);
}

static void blamed(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	static const int signals[] = { SIGCHLD, SIGTERM, SIGPIPE, SIGWINCH };

	brood = pool_start(&options);
	for
		EACH_PATH(p)
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		expect_left(on_path(makes_calls, paths[p], 0, 0), 0);
		expect_left(on_path(ignores, paths[p], 0, signals[i]), BROOD_LEFT_HANDLERS);
		expect_left(on_path(makes_calls, paths[p], 0, 0), 0);
		expect_left(on_path(makes_short_calls, paths[p], 0, 0), 0);
	}
	expect_left(on_path(other_mask, BROOD_PATH_LEASE, 0, 0), BROOD_LEFT_HANDLERS);
	expect_left(on_path(makes_calls, BROOD_PATH_LEASE, 0, 0), 0);
	/*
	 * The residue is not seen at once, so no job is blamed: this signal is rare, and the job
	 * was short.
	 */
	CHECK_EQ(on_path(ignores_shortly, BROOD_PATH_HANDOFF, 0, SIGWINCH).outcome, BROOD_DONE);
	expect_left(on_path(makes_calls, BROOD_PATH_HANDOFF, 0, 0), 0);
	pool_stop(brood);
}
Test(residue, no_later_job_is_blamed) { case_run(blamed, 20000); }

/*
 * Blocked by a system call: the C library shows this signal in a mask, and drops it when it sets
 * one.
 */
static int blocks_what_the_library_hides(void *context)
{
	uint64_t bits = UINT64_C(1) << 31;

	(void)context;
	return (int)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &bits, NULL, sizeof bits);
}

static int blocks_usr1(struct brood_job *job)
{
	sigset_t set;

	(void)job;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static void hidden_mask(void)
{
	struct brood_options options = {
		.workers = 1, .log = note_log, .worker_init = blocks_what_the_library_hides
	};

	brood = pool_start(&options);
	expect_left(on_path(makes_calls, 0, 0, 0), 0);
	expect_left(on_path(blocks_usr1, 0, 0, 0), BROOD_LEFT_MASK);
	expect_left(on_path(makes_calls, 0, 0, 0), 0);
	pool_stop(brood);
}
Test(residue, a_mask_that_cannot_be_set_again) { case_run(hidden_mask, 20000); }

static void tolerated(void)
{
	struct brood_options options = { .workers = 1,
		.log = note_log,
		.tolerate = BROOD_LEFT_FDS | BROOD_LEFT_THREADS | BROOD_LEFT_CHILDREN };
	brood_fn *fn[] = { leaves_fd, leaves_thread, leaves_child };
	const uint32_t left[] = { BROOD_LEFT_FDS, BROOD_LEFT_THREADS, BROOD_LEFT_CHILDREN };
	pid_t worker;

	brood = pool_start(&options);
	worker = pool_ask_pid(brood);
	for
		EACH_PATH(p)
	for (size_t i = 0; i < sizeof fn / sizeof fn[0]; i++) {
		struct brood_verdict v = on_path(fn[i], paths[p], 0, 0);

		/* not told from the first one */
		if (p == 0 || left[i] != BROOD_LEFT_CHILDREN)
			expect_left(v, left[i]);
		expect_left(on_path(makes_calls, paths[p], 0, 0), 0);
	}
	CHECK_EQ(pool_ask_pid(brood), worker);
	pool_stop(brood);
}
Test(residue, what_is_tolerated_is_said_once) { case_run(tolerated, 20000); }

static uint32_t innocent_left;
static void on_innocent(void *context, const struct brood_result *result)
{
	(void)context;
	innocent_left |= result->verdict.left;
}
static void on_guilty(void *context, const struct brood_result *result)
{
	(void)context;
	(void)result;
}

static void trusted(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	const struct brood_job_options guilty = { .size = sizeof guilty,
		.dispatch = BROOD_PATH_LEASE,
		.flags = BROOD_JOB_TRUSTED,
		.on_done = on_guilty };
	const struct brood_job_options innocent = {
		.size = sizeof innocent, .dispatch = BROOD_PATH_LEASE, .on_done = on_innocent
	};

	brood = pool_start(&options);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(brood_submit(brood, leaves_fd, "", 0, &guilty, NULL), 0);
		CHECK_EQ(brood_submit(brood, makes_calls, "", 0, &innocent, NULL), 0);
		while (brood_queue_out(brood_own_queue(brood)) > 0)
			CHECK_GE(brood_queue_wait(brood_own_queue(brood), 10000), 0);
	}
	CHECK_EQ(innocent_left, 0);
	pool_stop(brood);
}
Test(residue, a_trusted_jobs_is_not_the_next_ones) { case_run(trusted, 20000); }

/* ---- sockets of the worker's own ---- */

enum { ALL, FIRST, LAST }; /* the first is the channel, the last the side socket */
struct shutting {
	int how, which;
};

static int shuts_down(struct brood_job *job)
{
	const struct shutting *s = brood_job_arg(job, NULL);
	int sockets[64], count = 0;

	for (int fd = 3; fd < 64; fd++) {
		int type;
		socklen_t size = sizeof type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
			sockets[count++] = fd;
	}
	for (int i = 0; i < count; i++)
		if (s->which == ALL || (s->which == FIRST ? i == 0 : i == count - 1))
			shutdown(sockets[i], s->how);
	return 0;
}

static void shut(uint32_t path, struct shutting s)
{
	struct brood_job_options options = { .size = sizeof options,
		.dispatch = path,
		.run_ms = 20000,
		.arg = &s,
		.arg_size = sizeof s };
	struct brood_verdict v;
	uint64_t began;

	pool_call_with(brood, shuts_down, &options);
	began = test_now_ms();
	v = pool_call_with(brood, job_nothing, &options);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_MSG(test_now_ms() - began < (uint64_t)test_scaled(500),
		"path %u, how %d, which %d: %d ms", path, s.how, s.which,
		(int)(test_now_ms() - began));
}

static void sockets_shut_down(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };

	brood = pool_start(&options);
	for
		EACH_PATH(p)
	for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
		for (int which = ALL; which <= (paths[p] == BROOD_PATH_LEASE ? LAST : ALL); which++)
			shut(paths[p], (struct shutting){ how, which });
	pool_stop(brood);
}
Test(residue, a_job_that_shuts_sockets_down_delays_nobody) { case_run(sockets_shut_down, 60000); }

/* ---- a ring that was written over ---- */

struct flags {
	atomic_int runs, go, scribbled;
};
static struct flags *flags(void) { return case_shared(); }

static int __attribute__((noreturn)) scribbles(struct brood_job *job)
{
	(void)job;
	atomic_store(&flags()->runs, 1);
	while (!atomic_load(&flags()->go))
		usleep(1000);
	memset(the_lease.up, 0xa5, sizeof *the_lease.up);
	atomic_store(&flags()->scribbled, 1);
	for (;;)
		pause();
}

static void on_verdict(void *context, const struct brood_result *result)
{
	*(struct brood_verdict *)context = result->verdict;
}

static void give(brood_fn *fn, uint32_t job_flags, struct brood_verdict *verdict)
{
	const struct brood_job_options options = { .size = sizeof options,
		.dispatch = BROOD_PATH_LEASE,
		.flags = job_flags,
		.on_done = on_verdict,
		.context = verdict };

	CHECK_EQ(brood_submit(brood, fn, "", 0, &options, NULL), 0);
}

/*
 * A job that the worker was told of may have run. A job that it was not told of has not, whatever
 * its memory says.
 */
static void behind_a_scribbler(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	struct brood_verdict guilty, told, untold;
	struct brood_queue *queue;

	brood = pool_start(&options);
	queue = brood_own_queue(brood);
	for (int i = 0; i < 2; i++) { /* from here on there is a worker on lease */
		give(job_nothing, 0, &told);
		CHECK_GE(brood_queue_wait(queue, 10000), 1);
	}
	give(scribbles, 0, &guilty);
	give(job_nothing, 0, &told);
	give(job_nothing, BROOD_JOB_MORE, &untold);
	CHECK(WAIT_UNTIL(atomic_load(&flags()->runs), 10000));
	atomic_store(&flags()->go, 1);
	CHECK(WAIT_UNTIL(atomic_load(&flags()->scribbled), 10000));
	while (brood_queue_out(queue) > 0)
		CHECK_GE(brood_queue_wait(queue, 10000), 0);
	CHECK_EQ(guilty.outcome, BROOD_CRASHED);
	if (told.outcome != BROOD_DONE) { /* the job may have waited for another worker */
		CHECK_EQ(told.outcome, BROOD_CRASHED);
		CHECK(told.started);
	}
	CHECK_EQ(untold.outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(residue, jobs_behind_one_that_scribbled) { case_run(behind_a_scribbler, 20000); }
