/* SPDX-License-Identifier: MIT */
/*
 * hygiene.c - what a worker has, and what a job left. Residue is put right, or it ends the worker;
 * the verdict tells of it in either case.
 */
#include "../helpers/pool.h"
#include "../helpers/residue_jobs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

TestSuite(hygiene, .timeout = 120);

static struct brood *brood;
static int kept = -1, secret = -1;

/* ---- what it has ---- */

struct inventory {
	int fds, stdin_null, channel_kept, kept_open, secret_refuses, session_leader, no_notify,
		children;
	pid_t parent;
	sigset_t mask;
};

static int inventories(struct brood_job *job)
{
	struct stat null, in;
	struct inventory i = { 0 };

	i.fds = proc_own_fds();
	i.stdin_null = stat("/dev/null", &null) == 0 && fstat(0, &in) == 0 &&
		null.st_rdev == in.st_rdev && null.st_ino == in.st_ino;
	i.kept_open = fcntl(kept, F_GETFD) >= 0;
	i.secret_refuses = write(secret, &(uint64_t){ 1 }, 8) < 0 && errno == EBADF;
	i.session_leader = getsid(0) == getpid() && getpgrp() == getpid();
	i.no_notify = getenv("NOTIFY_SOCKET") == NULL;
	i.parent = getppid();
	sigprocmask(SIG_BLOCK, NULL, &i.mask);
	return brood_job_reply(job, &i, sizeof i) == sizeof i ? 0 : 1;
}

static void what_it_has(void)
{
	struct brood_options options = {
		.workers = 2, .keep_fds = &kept, .keep_fds_count = 1, .log = note_log
	};
	struct inventory i;
	sigset_t blocked;

	kept = eventfd(0, EFD_CLOEXEC);
	/* not a number that the job's socket may have */
	secret = fcntl(eventfd(0, 0), F_DUPFD, 200);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	setenv("NOTIFY_SOCKET", "@nobody-listens-here", 1);
	brood = pool_start(&options);
	CHECK(getenv("NOTIFY_SOCKET") == NULL);
	CHECK_EQ(brood_call(brood, inventories, NULL, 0, &i, sizeof i, NULL, NULL), sizeof i);
	/* 0-2, the channel, the keep-list, two that refuse */
	CHECK_EQ(i.fds, 7);
	CHECK(i.stdin_null);
	CHECK(i.kept_open);
	CHECK(i.secret_refuses);
	CHECK(i.session_leader);
	CHECK(i.no_notify);
	CHECK_EQ(i.parent, getppid());
	CHECK_EQ(sigismember(&i.mask, SIGUSR1), 0);
	CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &blocked), 0);
	CHECK_EQ(sigismember(&blocked, SIGUSR1), 1); /* the engine has its own back */
	CHECK(fcntl(secret, F_GETFD) >= 0);
	pool_stop(brood);
}
Test(hygiene, what_a_worker_has) { case_run(what_it_has, 20000); }

/* ---- what a job left ---- */

static int takes_fd(struct brood_job *job) { return brood_job_take_fd(job) < 0; }

struct state {
	char cwd[256];
	mode_t umask;
	sigset_t mask;
	struct itimerval timer;
	struct sigaction usr2;
};
static int says_state(struct brood_job *job)
{
	struct state s;

	memset(&s, 0, sizeof s);
	if (!getcwd(s.cwd, sizeof s.cwd))
		return 1;
	s.umask = umask(0);
	umask(s.umask);
	sigprocmask(SIG_BLOCK, NULL, &s.mask);
	getitimer(ITIMER_REAL, &s.timer);
	sigaction(SIGUSR2, NULL, &s.usr2);
	return brood_job_reply(job, &s, sizeof s) == sizeof s ? 0 : 1;
}

static void left(brood_fn *fn, uint32_t what, bool costs)
{
	pid_t before = pool_ask_pid(brood);
	struct brood_verdict v = pool_call(brood, fn, "job", "", 0, NULL);
	struct state s;
	char cwd[256];

	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_MSG(v.left == what, "%x instead of %x", v.left, what);
	if (costs)
		CHECK(WAIT_UNTIL(!proc_alive(before), 10000));
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	if (costs)
		CHECK_NE(pool_ask_pid(brood), before);
	else
		CHECK_EQ(pool_ask_pid(brood), before);
	CHECK_EQ(brood_call(brood, says_state, NULL, 0, &s, sizeof s, NULL, &v), sizeof s);
	CHECK_EQ(v.left, 0);
	CHECK_STR(s.cwd, getcwd(cwd, sizeof cwd));
	CHECK_EQ(s.umask, 022);
	CHECK_EQ(s.timer.it_value.tv_sec, 0);
	CHECK(s.usr2.sa_handler != SIG_IGN);
	for (int sig = 1; sig < 32; sig++)
		CHECK_EQ(sigismember(&s.mask, sig), 0);
}

static void leftovers(void)
{
	struct brood_options options = {
		.workers = 1, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};

	umask(022);
	brood = pool_start(&options);
	left(job_nothing, 0, false);
	left(leaves_mask, BROOD_LEFT_MASK, false);
	left(leaves_alarm, BROOD_LEFT_TIMERS, false);
	left(leaves_cwd, BROOD_LEFT_CWD, false);
	left(leaves_umask, BROOD_LEFT_UMASK, false);
	left(leaves_handlers, BROOD_LEFT_HANDLERS, false);
	left(leaves_thread, BROOD_LEFT_THREADS, true);
	left(leaves_fd, BROOD_LEFT_FDS, true);
	left(takes_fd, BROOD_LEFT_FDS, true);
	left(leaves_child, BROOD_LEFT_CHILDREN, true);
	left(leaves_grandchild, BROOD_LEFT_CHILDREN, true);
	left(leaves_zombie, BROOD_LEFT_CHILDREN, true);
	CHECK_EQ(pool_stats(brood).retired, 6);
	pool_stop(brood);
}
Test(hygiene, what_a_job_left) { case_run(leftovers, 60000); }

static void tolerated(void)
{
	struct brood_options options = {
		.workers = 1, .tolerate = BROOD_LEFT_FDS | BROOD_LEFT_THREADS, .log = note_log
	};
	struct brood_verdict v;
	pid_t before;

	brood = pool_start(&options);
	before = pool_ask_pid(brood);
	v = POOL_CALL(brood, leaves_fd);
	CHECK_EQ(v.left, BROOD_LEFT_FDS);
	v = POOL_CALL(brood, leaves_thread);
	CHECK(v.left & BROOD_LEFT_THREADS);
	CHECK_EQ(pool_ask_pid(brood), before);
	pool_stop(brood);
}
Test(hygiene, tolerated) { case_run(tolerated, 20000); }

/* ---- init data ---- */

static int init_version(void *context)
{
	struct brood_init_data d;

	if (brood_get_init_data(&d) < 0)
		return -1;
	*(uint32_t *)context = d.version;
	return 0;
}
static int says_init_data(struct brood_job *job)
{
	struct brood_init_data d;
	char c = 0;

	brood_get_init_data(&d);
	if (d.version == 0)
		return 100;
	if (d.fds_count != 1 || read(d.fds[0], &c, 1) != 1 || c != 'F')
		return 101;
	return brood_job_reply(job, d.data, d.data_size) == (ssize_t)d.data_size ? (int)d.version
										 : 102;
}

static void init_data(void)
{
	static uint32_t version;
	struct brood_options options = {
		.workers = 1, .worker_init = init_version, .hook_context = &version, .log = note_log
	};
	struct brood_verdict v;
	char reply[64];
	int p[2];

	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, says_init_data).code, 100);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(p[1], "FFFF", 4), 4);
	CHECK_EQ(brood_set_init_data(brood, "first", 5, p, 1), 1);
	CHECK_EQ(brood_set_init_data(brood, "second!", 7, p, 1), 2);
	kill(pool_ask_pid(brood), SIGKILL);
	CHECK(WAIT_UNTIL(pool_stats(brood).died == 1 && pool_full(brood), 10000));
	CHECK_EQ(brood_call(brood, says_init_data, NULL, 0, reply, sizeof reply, NULL, &v), 7);
	CHECK_EQ(v.code, 2);
	CHECK_MEM(reply, "second!", 7);
	pool_stop(brood);
}
Test(hygiene, init_data) { case_run(init_data, 20000); }

/* ---- a job that closes, keeps, overreads, overwrites: none harms the next ---- */

static int closes_its_fd(struct brood_job *job) { return close(brood_job_fd(job)); }
static int closes_and_reopens(struct brood_job *job)
{
	int fd = brood_job_fd(job);

	return close(fd) < 0 || dup2(1, fd) != fd || close(fd) < 0;
}
static int closes_everything(struct brood_job *job)
{
	(void)job;
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	return 0;
}
static int reads_too_much(struct brood_job *job)
{
	char c[64];

	return brood_job_read_all(job, c, sizeof c) == 3 && brood_job_read(job, c, 1) == 0 ? 0 : 1;
}
static int reads_half(struct brood_job *job)
{
	char c;

	return brood_job_read(job, &c, 1) == 1 ? 0 : 1;
}
static int writes_too_much(struct brood_job *job)
{
	static char much[300000];

	return brood_job_write(job, much, sizeof much) == (ssize_t)sizeof much ? 0 : 1;
}

static void no_harm(void)
{
	struct brood_options options = {
		.workers = 1, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};
	struct brood_verdict v;
	char small[10];

	brood = pool_start(&options);
	v = pool_call(brood, closes_its_fd, "j", "abc", 3, NULL);
	CHECK_EQ(v.outcome, BROOD_DONE);
	v = pool_call(brood, closes_and_reopens, "j", "abc", 3, NULL);
	CHECK_EQ(v.outcome, BROOD_DONE);
	v = pool_call(brood, reads_too_much, "j", "abc", 3, NULL);
	CHECK_EQ(v.outcome, BROOD_DONE);
	v = pool_call(brood, reads_half, "j", "abc", 3, NULL);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(brood_call(brood, writes_too_much, NULL, 0, small, sizeof small, NULL, &v),
		-EMSGSIZE);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.reply_size, 300000);
	CHECK_EQ(pool_stats(brood).died, 0);
	/* its channel is closed, too: this job crashed, and nothing hangs */
	v = POOL_CALL(brood, closes_everything);
	CHECK_NE(v.outcome, BROOD_DONE);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(hygiene, no_job_harms_the_next) { case_run(no_harm, 20000); }

/* An engine that never closes its end of the socket holds no worker. */
static void leaky_engine(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	int fd;

	brood = pool_start(&options);
	for (int i = 0; i < 50; i++) {
		struct brood_handle *h;
		struct brood_verdict v;

		/* and never closes fd */
		CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h), 0);
		CHECK(send(fd, "surplus bytes", 13, MSG_NOSIGNAL) > 0 || errno == EPIPE);
		CHECK_EQ(brood_wait(h, 10000, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		brood_release(h);
	}
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
Test(hygiene, an_engine_that_leaks_holds_no_worker) { case_run(leaky_engine, 20000); }
