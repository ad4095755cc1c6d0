/* SPDX-License-Identifier: MIT */
/*
 * limits.c - where the kernel has no more room: open files in the supervisor, in a worker, in
 * flight; a log that nobody reads; a user without privileges. No process ends of it, no verdict is
 * lost, and all is well when the shortage is over.
 */
#include "limits.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(limits, .timeout = 240);

static void set_soft(rlim_t soft)
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_GE(limit.rlim_max, soft);
	limit.rlim_cur = soft;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* ---- more workers than select() could watch, and than the soft limit has files ---- */

static int soft_limit(struct brood_job *job)
{
	struct rlimit limit;

	return brood_job_fd(job) < 64 && getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (int)limit.rlim_cur
									       : -1;
}

static void many_workers(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 1100,
		.backlog = 200,
		.stop_ms = 60000,
		.log = note_log };
	static pid_t workers[2048];
	int n;

	become_nobody();
	set_soft(1024);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, (uint32_t)test_scaled(60000)), 0);
	CHECK_EQ(POOL_CALL(brood, soft_limit).code, 1024); /* raised in the supervisor alone */
	n = proc_workers(proc_supervisor(), workers, 2048);
	CHECK_EQ(n, 1100);
	for (int i = 0; i < n; i += 7) /* those past 1019 too */
		kill(workers[i], SIGKILL);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(pool_stats(brood).died >= 1100 / 7 && pool_full(brood), 60000));
	pool_stop(brood);
}
Test(limits, more_workers_than_fd_setsize) { case_run(many_workers, 180000); }

/* ---- two files a worker ---- */

static void set_hard(rlim_t hard)
{
	const struct rlimit limit = { hard, hard };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What the start says, in a child: without privileges a lowered limit stays. */
static unsigned files_needed(uint32_t workers)
{
	struct brood_options options = { .size = sizeof options, .workers = workers };
	unsigned need = 0;
	int ends[2];
	pid_t child;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0) {
		set_hard(64);
		if (brood_start(&options, &brood) == -EMFILE &&
			strstr(brood_error(), "or ask for fewer workers"))
			sscanf(brood_error(), "brood_start: %*u workers need %u open", &need);
		_exit(write(ends[1], &need, sizeof need) != sizeof need);
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], &need, sizeof need), (ssize_t)sizeof need);
	close(ends[0]);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	return need;
}

static void two_files(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 300, .stop_ms = 60000, .log = note_log
	};
	unsigned need = files_needed(300);

	CHECK_EQ(need - files_needed(200), 2 * 100);
	set_hard(need);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, (uint32_t)test_scaled(60000)), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).spawn_failures, 0);
	pool_stop(brood);
}
Test(limits, two_files_a_worker) { case_run(two_files, 60000); }

/* A request that does not travel in the messages of a handed-off job: the job needs a socket. */
static const char large[2 * BROOD_ARG_MAX];

/* ---- the supervisor has no file left ---- */

static void squeeze(rlim_t soft)
{
	struct rlimit limit;

	CHECK_EQ(prlimit(proc_supervisor(), RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = soft;
	CHECK_EQ(prlimit(proc_supervisor(), RLIMIT_NOFILE, &limit, NULL), 0);
}

static void supervisor_full(void)
{
	struct brood_options options = { .workers = 3, .log = note_log };
	struct brood_verdict v;
	struct rlimit before;
	pid_t worker;
	char c;

	brood = pool_start(&options);
	CHECK_EQ(prlimit(proc_supervisor(), RLIMIT_NOFILE, NULL, &before), 0);
	squeeze(3);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(brood_call(brood, job_nothing, large, sizeof large, &c, 1, NULL, &v),
			-EAGAIN);
		CHECK_EQ(v.outcome, BROOD_REFUSED);
		CHECK_EQ(v.detail, BROOD_DETAIL_FD_LOST);
		CHECK_EQ(v.started, 0);
		CHECK_CONTAINS(brood_error(), "open files");
	}
	CHECK_EQ(proc_workers(proc_supervisor(), &worker, 1), 1);
	kill(worker, SIGKILL); /* no file for another attempt either */
	CHECK(WAIT_UNTIL(pool_stats(brood).spawn_failures >= 2, 10000));
	CHECK_EQ(pool_stats(brood).ready, 2);
	squeeze(before.rlim_cur);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).degraded, 0);
	pool_stop(brood);
}
Test(limits, supervisor_without_files) { case_run(supervisor_full, 60000); }

/* ---- a worker that can take no file: an earlier job's doing, and no later one's fault ---- */

static int shuts_the_door(struct brood_job *job)
{
	struct rlimit none = { 0, 0 };

	(void)job;
	return setrlimit(RLIMIT_NOFILE, &none);
}

static void worker_full(void)
{
	struct brood_options options = {
		.workers = 2, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};
	struct brood_verdict v;
	pid_t before;

	brood = pool_start(&options);
	for (int round = 0; round < 3; round++) {
		before = pool_ask_pid(brood);
		CHECK_EQ(POOL_CALL(brood, shuts_the_door).outcome, BROOD_DONE);
		for (int i = 0; i < 10; i++) {
			v = pool_call(brood, job_nothing, "job_nothing", large, sizeof large, NULL);
			CHECK_MSG(v.outcome == BROOD_DONE, "%s, %s", brood_outcome_name(v.outcome),
				brood_detail_name(v.detail));
		}
		CHECK(WAIT_UNTIL(!proc_alive(before), 10000));
		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	}
	CHECK_GE(pool_stats(brood).redispatched, 3);
	pool_stop(brood);
}
Test(limits, worker_without_files) { case_run(worker_full, 60000); }

static void worker_full_once(void)
{
	struct brood_job_options once = { .flags = BROOD_JOB_ONCE };
	struct brood_options options = {
		.workers = 1, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};
	struct brood_verdict v;

	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, shuts_the_door).outcome, BROOD_DONE);
	once.size = sizeof once;
	brood_call(brood, job_nothing, large, sizeof large, NULL, 0, &once, &v);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_FD_LOST);
	CHECK_EQ(v.started, 0);
	CHECK_EQ(v.attempts, 1);
	v = pool_call_with(brood, job_nothing, &once); /* and that was all */
	CHECK_EQ(v.outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(limits, worker_without_files_and_once) { case_run(worker_full_once, 30000); }

/* ---- a user without rights ---- */

/* Returns when the process is in a session of its own, with another parent. */
static pid_t escape(void)
{
	pid_t pid = -1;
	int pipes[2];

	CHECK_EQ(pipe2(pipes, O_CLOEXEC), 0);
	if (fork() == 0) {
		setsid();
		if (fork() > 0)
			_exit(0);
		pid = getpid();
		if (write(pipes[1], &pid, sizeof pid) != sizeof pid)
			_exit(1);
		close(pipes[1]);
		for (;;)
			pause();
	}
	close(pipes[1]);
	CHECK_EQ(read(pipes[0], &pid, sizeof pid), sizeof pid);
	CHECK_EQ(wait(NULL) > 0, 1);
	close(pipes[0]);
	return pid;
}

static int leaves_escapee(struct brood_job *job)
{
	pid_t pid = escape();

	return brood_job_write(job, &pid, sizeof pid) == sizeof pid ? 0 : 1;
}

/*
 * A process that has dropped its privileges is not dumpable: much of its own /proc is closed to it.
 * Residue of jobs is found all the same, and the engine's orphans are not touched.
 */
static void escapees_of_nobody(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_verdict v;
	pid_t orphan, escapee;

	become_nobody();
	brood = pool_start(&options);
	orphan = escape();
	CHECK(WAIT_UNTIL(proc_parent(orphan) == proc_supervisor(), 5000));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_call(brood, leaves_escapee, NULL, 0, &escapee, sizeof escapee, NULL,
				 &v),
			sizeof escapee);
		CHECK_EQ(v.left, BROOD_LEFT_CHILDREN);
		CHECK(WAIT_UNTIL(proc_state(escapee) == 0, 10000));
	}
	CHECK_EQ(pool_stats(brood).strays_killed, 3);
	CHECK(proc_alive(orphan));
	kill(orphan, SIGKILL);
	CHECK(WAIT_UNTIL(proc_state(orphan) == 0, 5000));
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
}
Test(limits, strays_of_nobody) { case_run(escapees_of_nobody, 60000); }

/* ---- a log that nobody reads ---- */

static void fill(int fd)
{
	static char block[65536];
	int flags = fcntl(fd, F_GETFL);

	CHECK_EQ(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	while (write(fd, block, sizeof block) > 0)
		;
	while (write(fd, block, 1) > 0)
		;
	CHECK_EQ(fcntl(fd, F_SETFL, flags), 0);
}

static int dies(struct brood_job *job)
{
	(void)job;
	_exit(3);
}

static void nobody_reads(int reader, int writer, bool rights)
{
	struct brood_options options = {
		.workers = 2, .healthy_ms = 1, .dispatch = BROOD_PATH_HANDOFF
	};
	struct brood_stats stats;
	static char text[1 << 20];
	ssize_t n;

	fill(writer);
	CHECK_EQ(dup2(writer, 2), 2);
	close(writer);
	if (!rights)
		become_nobody();
	brood = pool_start(&options);
	for (int i = 0; i < 12; i++) {
		CHECK_EQ(POOL_CALL(brood, dies).outcome, BROOD_EXITED);
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	}
	stats = pool_stats(brood);
	CHECK_GE(stats.logs_dropped, 1);
	CHECK_LE(stats.logs_dropped, 8); /* equal lines are folded before that */
	pool_stop(brood);
	CHECK_EQ(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	while ((n = read(reader, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < n; i++)
			/* no line is cut */
			CHECK_EQ(text[i], 0);
}

static void full_pipe(void)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	nobody_reads(fds[0], fds[1], true);
}
static void full_pipe_of_another(void)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0); /* it belongs to root: user nobody may not open it again */
	nobody_reads(fds[0], fds[1], false);
}
static void full_socket(void)
{
	int fds[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	nobody_reads(fds[0], fds[1], true);
}
Test(limits, log_to_a_full_pipe) { case_run(full_pipe, 30000); }
Test(limits, log_to_a_full_pipe_of_another) { case_run(full_pipe_of_another, 30000); }
Test(limits, log_to_a_full_socket) { case_run(full_socket, 30000); }

/* The log's reader is gone: SIGPIPE does not end the supervisor. */
static void broken_pipe(void)
{
	struct brood_options options = { .workers = 2, .healthy_ms = 1 };
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(dup2(fds[1], 2), 2);
	close(fds[0]);
	close(fds[1]);
	brood = pool_start(&options);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(POOL_CALL(brood, dies).outcome, BROOD_EXITED);
	CHECK_GE(pool_stats(brood).logs_dropped, 1);
	pool_stop(brood);
}
Test(limits, log_to_a_broken_pipe) { case_run(broken_pipe, 30000); }

/* ---- equal lines are one, with their number ---- */

static void folded(void)
{
	struct brood_options options = { .workers = 2, .title = "folding", .healthy_ms = 1 };
	char text[16384];
	int fds[2], lines = 0;
	ssize_t n;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(dup2(fds[1], 2), 2);
	close(fds[1]);
	brood = pool_start(&options);
	for (int i = 0; i < 60; i++)
		CHECK_EQ(POOL_CALL(brood, dies).outcome, BROOD_EXITED);
	CHECK_EQ(pool_stats(brood).logs_dropped, 0);
	pool_stop(brood);
	CHECK_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	n = read(fds[0], text, sizeof text - 1);
	CHECK_GT(n, 0);
	text[n] = '\0';
	for (const char *c = text; (c = strchr(c, '\n')); c++)
		lines++;
	CHECK_MSG(lines >= 2 && lines <= 12, "%d lines:\n%s", lines, text);
	CHECK_CONTAINS(text, "folding: worker ");
	CHECK_CONTAINS(text, "exit code 3 in dies");
	CHECK_CONTAINS(text, "more like this");
}
Test(limits, equal_lines_are_folded) { case_run(folded, 60000); }
