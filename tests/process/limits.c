/* SPDX-License-Identifier: MIT */
/*
 * limits.c - where the kernel has no more room: open files in the supervisor, in a worker and in
 * flight; a log that nobody reads; a user without rights. Nothing of it ends a process or loses a
 * verdict, and all is well again when the shortage is over.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(limits, .timeout = 240);

static struct brood *brood;

/*
 * As a service that has dropped its rights: everything from here on is without them. Where the
 * tests do not run as root they have none anyway.
 */
/*
 * A user that nobody else is: what is in flight counts for all of a user's processes, and other
 * tests run beside this one.
 */
static void become_nobody(void)
{
	uid_t user = 100000 + (uid_t)getpid();

	if (getuid() != 0)
		return;
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(user, user, user), 0);
	CHECK_EQ(setresuid(user, user, user), 0);
	CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
}

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
		CHECK_EQ(brood_call(brood, job_nothing, "request", 7, &c, 1, NULL, &v), -EAGAIN);
		CHECK_EQ(v.outcome, BROOD_REFUSED);
		CHECK_EQ(v.detail, BROOD_DETAIL_FD_LOST);
		CHECK_EQ(v.started, 0);
		CHECK_CONTAINS(brood_error(), "open files");
	}
	CHECK_EQ(proc_workers(proc_supervisor(), &worker, 1), 1);
	kill(worker, SIGKILL); /* no file for another one either */
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
			v = POOL_CALL(brood, job_nothing);
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
	v = pool_call_with(brood, job_nothing, &once);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_FD_LOST);
	CHECK_EQ(v.started, 0);
	CHECK_EQ(v.attempts, 1);
	v = pool_call_with(brood, job_nothing, &once); /* and that was all */
	CHECK_EQ(v.outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(limits, worker_without_files_and_once) { case_run(worker_full_once, 30000); }

/* ---- ETOOMANYREFS: what is in flight counts for the whole user ---- */

#define FLOOD_MAX 64

/*
 * A process of the same user that puts fds in flight until the kernel takes no more, holds them
 * there for a while, and ends.
 */
static void __attribute__((noreturn)) flood(int ready, int release)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 250)];
	} control;
	struct iovec iov = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	int pair[2], fds[250];
	char c = 0;

	for (int i = 0; i < FLOOD_MAX; i++) {
		struct msghdr msg = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control };

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			_exit(3);
		memset(&control, 0, sizeof control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fds);
		for (size_t k = 0; k < 250; k++)
			fds[k] = ready;
		memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
		if (sendmsg(pair[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			c = errno == ETOOMANYREFS ? 'y' : 'n';
			break;
		}
	}
	if (write(ready, &c, 1) != 1 || read(release, &c, 1) < 0)
		_exit(4);
	_exit(0);
}

struct flood {
	pid_t pid;
	int release;
};

static struct flood flood_begin(void)
{
	int ready[2], release[2];
	struct flood f;
	char c = 0;

	CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(release, O_CLOEXEC), 0);
	f.pid = fork();
	if (f.pid == 0) {
		close(release[1]);
		flood(ready[1], release[0]);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(c, 'y');
	close(ready[0]);
	close(ready[1]);
	close(release[0]);
	f.release = release[1];
	return f;
}

static void flood_end(struct flood *f)
{
	int status;

	close(f->release);
	CHECK_EQ(waitpid(f->pid, &status, 0), f->pid);
	CHECK_EQ(status, 0);
}

#define OUT 120

static void in_flight_by(enum brood_path path)
{
	struct brood_options options = {
		.workers = 4, .backlog = OUT, .dispatch = path, .log = note_log
	};
	struct brood_handle *h[OUT];
	struct rlimit limit = { 256, 256 };
	struct brood_verdict v;
	struct flood f;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	brood = pool_start(&options);
	/* an event loop's program: nobody waits in brood_open() */
	brood_fd(brood);
	for (int round = 0; round < 3; round++) {
		f = flood_begin();
		for (int i = 0; i < OUT; i++) {
			int fd;

			CHECK_MSG(brood_open(brood, job_nothing, NULL, &fd, &h[i]) == 0, "%d: %s",
				i, brood_error());
			close(fd);
		}
		CHECK_EQ(brood_wait(h[0], 50, &v), -ETIMEDOUT);
		flood_end(&f);
		for (int i = 0; i < OUT; i++) {
			CHECK_EQ(brood_wait(h[i], 20000, &v), 0);
			CHECK_MSG(v.outcome == BROOD_DONE, "%s, %s", brood_outcome_name(v.outcome),
				brood_detail_name(v.detail));
			brood_release(h[i]);
		}
	}
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 3 * OUT);
	pool_stop(brood);
}
static void in_flight(void) { in_flight_by(BROOD_PATH_HANDOFF); }
static void in_flight_as_it_comes(void) { in_flight_by(BROOD_PATH_AUTO); }

/* The supervisor meets it: the jobs are with it already when the flood begins. */
static void in_flight_to_workers(void)
{
	struct brood_options options = {
		.workers = 1, .backlog = OUT, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};
	struct brood_handle *h[OUT];
	struct rlimit limit = { 256, 256 };
	struct brood_verdict v;
	struct flood f;
	int fd, first;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, job_echo, NULL, &first, NULL), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h[i]), 0);
		close(fd);
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).queued == 20, 10000));
	f = flood_begin();
	/* its job ends, the next are due, and cannot be sent */
	CHECK_EQ(shutdown(first, SHUT_RDWR), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).idle == 1, 10000));
	CHECK_EQ(brood_wait(h[0], 50, &v), -ETIMEDOUT);
	CHECK_EQ(pool_stats(brood).queued, 20);
	flood_end(&f);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(brood_wait(h[i], 20000, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_EQ(v.attempts, 1);
		brood_release(h[i]);
	}
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
/* In state R until it is over: so it is seen from outside when its end has been told. */
static int sends_a_file(struct brood_job *job)
{
	atomic_uint *entered = case_shared(), *gate = entered + 1;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), r;

	atomic_store(entered, 1);
	while (!atomic_load(gate))
		;
	r = brood_job_reply_fds(job, &fd, 1);
	close(fd);
	return r;
}

static atomic_bool dropped;
static void hears_of_dropped_files(void *context, const struct brood_log *log)
{
	note_log(context, log);
	if (log->event == BROOD_EVENT_RESOURCE && strstr(log->text, "are dropped"))
		atomic_store(&dropped, true);
}

static void result_with(uint32_t fds_count)
{
	const struct brood_result *result = NULL;

	CHECK(WAIT_UNTIL(brood_queue_wait(brood_own_queue(brood), 1000) > 0 &&
			brood_take(brood_own_queue(brood), &result, 1) == 1,
		30000));
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	CHECK_EQ(result->verdict.code, 0);
	CHECK_EQ(result->fds_count, fds_count);
}

/* The supervisor meets it with the files of a reply: their verdict waits, but not for ever. */
static void in_flight_back(void)
{
	struct brood_options options = { .workers = 1,
		.backlog = OUT,
		.dispatch = BROOD_PATH_HANDOFF,
		.log = hears_of_dropped_files };
	struct rlimit limit = { 256, 256 };
	atomic_uint *entered = case_shared(), *gate = entered + 1;
	struct flood f;
	pid_t supervisor, worker;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	brood = pool_start(&options);
	supervisor = proc_supervisor();
	worker = pool_ask_pid(brood);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	CHECK(WAIT_UNTIL(atomic_load(entered), 10000));
	kill(supervisor, SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(supervisor) == 'T', 10000));
	atomic_store(gate, 1);
	CHECK(WAIT_UNTIL(proc_state(worker) == 'S', 10000));
	f = flood_begin();
	kill(supervisor, SIGCONT);
	result_with(0);
	CHECK(WAIT_UNTIL(atomic_load(&dropped), 10000));
	flood_end(&f);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	result_with(1);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}

/* The worker meets it: its reply waits for a while, and then it goes without its files. */
static void in_flight_from(enum brood_path path)
{
	struct brood_options options = {
		.workers = 1, .backlog = OUT, .dispatch = path, .log = note_log
	};
	struct rlimit limit = { 256, 256 };
	atomic_uint *entered = case_shared(), *gate = entered + 1;
	struct flood f;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	atomic_store(entered, 0);
	atomic_store(gate, 0);
	brood = pool_start(&options);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && atomic_load(entered), 10000));
	f = flood_begin();
	atomic_store(gate, 1);
	result_with(0);
	flood_end(&f);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	result_with(1);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
static void in_flight_from_workers(void) { in_flight_from(BROOD_PATH_HANDOFF); }
static void in_flight_from_leases(void) { in_flight_from(BROOD_PATH_LEASE); }

Test(limits, too_many_fds_in_flight)
{
	case_run(in_flight, 60000);
	case_run(in_flight_as_it_comes, 60000);
	case_run(in_flight_to_workers, 60000);
	case_run(in_flight_back, 60000);
	case_run(in_flight_from_workers, 60000);
	case_run(in_flight_from_leases, 60000);
}

/* ---- a user without rights ---- */

/* Returns when it stands in a session of its own, with another parent. */
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
 * A process that has dropped its rights is not dumpable: much of its own /proc is closed to it.
 * What jobs leave behind is found all the same, and the engine's orphans are not touched.
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
	CHECK_LE(stats.logs_dropped, 8); /* equal lines are folded before */
	pool_stop(brood);
	CHECK_EQ(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	while ((n = read(reader, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < n; i++)
			/* nothing half-written among what was there */
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

	CHECK_EQ(pipe(fds), 0); /* root's: nobody may not open it anew */
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

/* The reader is gone: no SIGPIPE ends the supervisor. */
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
