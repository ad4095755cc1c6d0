/* SPDX-License-Identifier: MIT */
/*
 * sessions.c - the session that the workers of a spawner have together, and the group that each has
 * for itself: what a job sees of them, what it costs to leave the group, and what becomes of both
 * when the spawner is replaced.
 */
#define _GNU_SOURCE
#include "sessions.h"
#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(sessions, .timeout = 300);

/* ---- what a job sees ---- */

struct view {
	pid_t pid, group, session, child[2]; /* child: its group, and the session that it made */
	int setsid_error, has_terminal;
};

/* The first terminal that the leader of a session opens becomes the session's. */
static bool gets_terminal(void)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1, tty;

	if (pty >= 0 && grantpt(pty) == 0 && unlockpt(pty) == 0)
		slave = open(ptsname(pty), O_RDWR | O_CLOEXEC);
	tty = slave >= 0 ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1;
	if (tty >= 0)
		close(tty);
	if (slave >= 0)
		close(slave);
	if (pty >= 0)
		close(pty);
	return tty >= 0 || slave < 0;
}

static int looks(struct brood_job *job)
{
	struct view v = { .pid = getpid(), .group = getpgrp(), .session = getsid(0) };
	int p[2];
	pid_t child;

	v.has_terminal = gets_terminal();
	v.setsid_error = setsid() < 0 ? errno : 0;
	if (pipe(p) < 0 || (child = fork()) < 0)
		return 1;
	if (child == 0) {
		pid_t own[2] = { getpgrp(), setsid() };

		_exit(write(p[1], own, sizeof own) != sizeof own);
	}
	if (read(p[0], v.child, sizeof v.child) != sizeof v.child ||
		waitpid(child, NULL, 0) != child || v.child[1] != child)
		return 2;
	close(p[0]);
	close(p[1]);
	return brood_job_reply(job, &v, sizeof v) == sizeof v ? 0 : 3;
}

static void views(void)
{
	struct brood_verdict verdict;
	struct view v;

	start(1);
	CHECK_EQ(brood_call(brood, looks, NULL, 0, &v, sizeof v, NULL, &verdict), sizeof v);
	CHECK_EQ(verdict.left, 0);
	CHECK_EQ(v.session, spawner_of(proc_supervisor()));
	CHECK_EQ(v.group, v.pid);
	CHECK_EQ(v.setsid_error, EPERM);
	CHECK_EQ(v.has_terminal, 0);
	CHECK_EQ(v.child[0], v.pid);
	pool_stop(brood);
}
Test(sessions, what_a_job_sees) { case_run(views, 40000); }

static void text_of(pid_t pid, char *text, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/autogroup", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, text, size - 1);
	text[MAX(n, 0)] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The kernel's scheduler takes them for one program, apart from the engine. */
static void one_autogroup(void)
{
	char first[64], other[64];
	pid_t workers[8];

	start(4);
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 8), 4);
	text_of(workers[0], first, sizeof first);
	for (int i = 1; i < 4; i++) {
		text_of(workers[i], other, sizeof other);
		CHECK_STR(other, first);
		CHECK_EQ(proc_session(workers[i]), proc_session(workers[0]));
		CHECK_EQ(proc_group(workers[i]), workers[i]);
	}
	text_of(getpid(), other, sizeof other);
	CHECK(first[0] == '\0' || strcmp(first, other) != 0);
	pool_stop(brood);
}
Test(sessions, workers_have_one_autogroup) { case_run(one_autogroup, 40000); }

/* ---- a job leaves its worker's group ---- */

/* Joins the first of two groups that is not its own. */
static int joins_group(struct brood_job *job)
{
	const pid_t *groups = brood_job_arg(job, NULL);

	return setpgid(0, groups[groups[0] == getpid()]) < 0 ? errno : 0;
}

static struct brood_verdict join(pid_t a, pid_t b)
{
	const pid_t groups[2] = { a, b };
	struct brood_job_options options = { .arg = groups, .arg_size = sizeof groups };

	return pool_call_with(brood, joins_group, &options);
}

/* The group of another worker, or the spawner's. There it would die with that worker. */
static void changed_group(void)
{
	pid_t workers[4];

	start(2);
	for (int round = 0; round < 4; round++) {
		pid_t spawner = spawner_of(proc_supervisor());
		struct brood_verdict v;

		CHECK_EQ(proc_workers(proc_supervisor(), workers, 4), 2);
		v = round % 2 ? join(workers[0], workers[1]) : join(spawner, spawner);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(v.left, BROOD_LEFT_GROUP);
		CHECK(WAIT_UNTIL(pool_stats(brood).died == (uint64_t)round + 1 && pool_full(brood),
			SOON_MS));
		CHECK(!proc_alive((pid_t)v.pid));
		CHECK_EQ(pool_stats(brood).retired, (uint64_t)round + 1);
	}
	pool_stop(brood);
}
Test(sessions, another_group_costs_the_worker) { case_run(changed_group, 40000); }

static void tolerated_group(void)
{
	struct brood_options options = { .workers = 1,
		.spawn = BROOD_SPAWN_CLONE3,
		.tolerate = BROOD_LEFT_GROUP,
		.log = note_log };
	struct brood_verdict v;
	pid_t pid, spawner;

	brood = pool_start(&options);
	pid = pool_ask_pid(brood);
	spawner = spawner_of(proc_supervisor());
	v = join(spawner, spawner);
	CHECK_EQ(v.left, BROOD_LEFT_GROUP);
	CHECK_EQ(pool_ask_pid(brood), pid);
	CHECK_EQ(proc_group(pid), pid); /* put right */
	pool_stop(brood);
}
Test(sessions, another_group_may_be_tolerated) { case_run(tolerated_group, 40000); }

/* The spawner's group is no worker's: whoever is there dies by its own worker's end alone. */
static int __attribute__((noreturn)) dies_in_group(struct brood_job *job)
{
	(void)joins_group(job);
	abort();
}

static void dies_there(void)
{
	struct brood_job_options options = { .size = sizeof options };
	pid_t groups[2];

	start(3);
	groups[0] = groups[1] = spawner_of(proc_supervisor());
	options.arg = groups;
	options.arg_size = sizeof groups;
	for (int i = 0; i < 5; i++) {
		struct brood_verdict v = pool_call_with(brood, dies_in_group, &options);

		CHECK_EQ(v.outcome, BROOD_CRASHED);
	}
	CHECK(WAIT_UNTIL(pool_full(brood), SOON_MS));
	CHECK_EQ(pool_stats(brood).died, 5);
	CHECK_EQ(pool_stats(brood).spawner_deaths, 0);
	CHECK_EQ(spawner_of(proc_supervisor()), groups[0]);
	pool_stop(brood);
}
Test(sessions, a_death_in_the_spawners_group) { case_run(dies_there, 40000); }

/* ---- a replaced spawner has another session ---- */

static void several(void)
{
	pid_t first, second, workers[4], pid;

	start(2);
	first = spawner_of(proc_supervisor());
	pid = pool_ask_pid(brood);
	CHECK_EQ(proc_session(pid), first);
	second = replace_spawner();
	CHECK_EQ(proc_session(pid), first);
	replace_worker(pid);
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 4), 2);
	CHECK_EQ((proc_session(workers[0]) == first) + (proc_session(workers[1]) == first), 1);
	CHECK_EQ((proc_session(workers[0]) == second) + (proc_session(workers[1]) == second), 1);
	CHECK_EQ(proc_session(second), second);
	pool_stop(brood);
}
Test(sessions, a_replaced_spawner_has_another) { case_run(several, 40000); }

/* ---- as PID 1, which may not make children of its parent: its spawner may ---- */

static void __attribute__((noreturn)) as_init(void)
{
	pid_t spawner, worker;

	CHECK_EQ(mount("proc", "/proc", "proc", MS_NOSUID, NULL), 0);
	start(2);
	CHECK_EQ(proc_supervisor(), 1);
	for (int i = 0; i < 2; i++) {
		spawner = spawner_of(1);
		worker = pool_ask_pid(brood);
		CHECK_EQ(proc_parent(worker), 1);
		CHECK_EQ(proc_session(worker), spawner);
		replace_spawner();
		replace_worker(worker);
		replace_worker(pool_ask_pid(brood));
	}
	pool_stop(brood);
	exit(0);
}

static void in_namespace(void)
{
	int status;
	pid_t first;

	CHECK_EQ(unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
	CHECK_EQ(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	first = fork();
	if (first == 0)
		as_init();
	CHECK_EQ(waitpid(first, &status, 0), first);
	CHECK_EQ(status, 0);
}
Test(sessions, of_pid_1)
{
	if (geteuid() != 0)
		cr_skip_test("a PID namespace needs root");
	case_run(in_namespace, 40000);
}
