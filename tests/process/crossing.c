/* SPDX-License-Identifier: MIT */
/*
 * crossing.c - what workers inherit from the program beside memory: numbers of files that were open
 * at the start, locks, the flags of stdout, output that waits in buffers.
 */
#include "../helpers/pool.h"
#include "../helpers/proc.h"
#include "base/base.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(crossing, .timeout = 240);

static struct brood *brood;
static int stands_said;

static void listen_to_log(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	stands_said += strstr(log->text, "without a stand-in") != NULL;
}

static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };

/* Runs one job on this path. It must be done, with this code, and with this residue alone. */
static struct brood_verdict run(brood_fn *fn, uint32_t path, int code, uint32_t left)
{
	const struct brood_job_options options = { .size = sizeof options, .dispatch = path };
	struct brood_verdict v = pool_call_with(brood, fn, &options);
	char line[512];

	brood_verdict_format(&v, line, sizeof line);
	CHECK_MSG(
		v.code == code && v.left == left && v.outcome == (code ? BROOD_FAILED : BROOD_DONE),
		"path %u: %s", path, line);
	return v;
}

/* ---- numbers ---- */

enum { A_FILE, A_PIPE, A_READER, A_FOLDER, A_STREAM, A_DATAGRAM, A_LISTENER, KINDS };
static int old[KINDS], high;

static int at_number(int fd, int number)
{
	int r = fcntl(fd, F_DUPFD, number);

	CHECK_EQ(r, number);
	close(fd);
	return r;
}

static void open_old_files(void)
{
	int pipes[2], pair[2];

	CHECK_EQ(pipe(pipes), 0);
	old[A_PIPE] = at_number(pipes[1], 300);
	old[A_READER] = at_number(pipes[0], 301);
	old[A_FILE] = at_number(memfd_create("old", 0), 302);
	old[A_FOLDER] = at_number(open("/", O_RDONLY), 303);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	old[A_STREAM] = at_number(pair[0], 304);
	at_number(pair[1], 305);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	old[A_DATAGRAM] = at_number(pair[0], 306);
	at_number(pair[1], 307);
	old[A_LISTENER] = at_number(socket(AF_INET, SOCK_STREAM, 0), 308);
	CHECK_EQ(listen(old[A_LISTENER], 1), 0);
	high = at_number(memfd_create("high", 0), 1500);
}

static int fails(ssize_t n, int error) { return n < 0 && errno == error ? 0 : 1; }

/* Returns the number of the first call that did not refuse. alarm() ends a job that is blocked. */
static int tries_old_files(struct brood_job *job)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int wrong = 0;
	char c = 'x';

	(void)job;
	alarm(5);
	for (int i = A_FILE; i <= A_FOLDER; i++) {
		wrong += fails(write(old[i], &c, 1), EBADF);
		wrong += fails(read(old[i], &c, 1), EBADF);
		wrong += fails(send(old[i], &c, 1, 0), EBADF);
		wrong += fails(openat(old[i], "etc", O_RDONLY), ENOTDIR);
		wrong += fails(fchdir(old[i]), ENOTDIR);
	}
	for (int i = A_STREAM; i <= A_LISTENER; i++) {
		wrong += fails(write(old[i], &c, 1), ENOTCONN);
		wrong += fails(read(old[i], &c, 1), ENOTCONN);
		wrong += fails(send(old[i], &c, 1, 0), ENOTCONN);
		wrong += fails(
			sendto(old[i], &c, 1, 0, (struct sockaddr *)&sin, sizeof sin), ENOTCONN);
		wrong += fails(accept(old[i], NULL, NULL), EINVAL);
		wrong += fails(connect(old[i], (struct sockaddr *)&sin, sizeof sin), EINVAL);
	}
	for (int i = 0; i < KINDS; i++)
		wrong += !(fcntl(old[i], F_GETFD) & FD_CLOEXEC);
	wrong += fails(write(high, &c, 1), EBADF);
	alarm(0);
	return wrong;
}

/* A socket that all workers share refuses although somebody connects it. */
static int connects_an_old_socket(struct brood_job *job)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "" };
	int server = socket(AF_UNIX, SOCK_SEQPACKET, 0), wrong = 0;
	socklen_t size = sizeof address;
	char c = 'x';

	(void)job;
	if (bind(server, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
		listen(server, 4) < 0 ||
		getsockname(server, (struct sockaddr *)&address, &size) < 0)
		return 100;
	if (connect(old[A_STREAM], (struct sockaddr *)&address, size) == 0) {
		wrong += fails(write(old[A_STREAM], &c, 1), EPIPE);
		wrong += fails(write(old[A_DATAGRAM], &c, 1), EPIPE);
		wrong += read(old[A_STREAM], &c, 1) != 0;
	}
	close(server);
	return wrong;
}

static int execs(struct brood_job *job)
{
	(void)job;
	return system("for i in 300 301 302 303 304 306 308; do [ ! -e /proc/self/fd/$i ] || exit "
		      "1; done");
}

static void old_numbers(void)
{
	struct brood_options options = { .workers = 2, .log = listen_to_log };
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 2000) {
		limit.rlim_cur = MIN(limit.rlim_max, 2000);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	open_old_files();
	brood = pool_start(&options);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		run(tries_old_files, paths[i], 0, 0);
		run(execs, paths[i], 0, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		run(connects_an_old_socket, paths[i], 0, 0);
	CHECK_EQ(write(old[A_PIPE], "y", 1), 1); /* the engine has them all */
	CHECK_EQ(write(high, "y", 1), 1);
	CHECK_EQ(stands_said, 1);
	pool_stop(brood);
}
Test(crossing, old_numbers_refuse) { case_run(old_numbers, 20000); }

/* ---- jobs that close them ---- */

static int closes_one(struct brood_job *job)
{
	(void)job;
	return close(old[A_FILE]) != 0;
}
static int connects_again(struct brood_job *job)
{
	int fd;

	(void)job;
	close(old[A_STREAM]);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0;
}
static int leaves_one(struct brood_job *job)
{
	(void)job;
	return dup(0) < 0;
}

static void closed_by_jobs(void)
{
	struct brood_options options = { .workers = 1, .log = listen_to_log };

	open_old_files();
	close(high);
	brood = pool_start(&options);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		pid_t pid = pool_ask_pid(brood);

		run(connects_again, paths[i], 0, 0);
		run(closes_one, paths[i], 0, 0);
		run(job_nothing, paths[i], 0, 0);
		CHECK_EQ(pool_ask_pid(brood), pid);
		run(leaves_one, paths[i], 0, BROOD_LEFT_FDS);
		CHECK(WAIT_UNTIL(pool_full(brood), 5000));
		CHECK_NE(pool_ask_pid(brood), pid);
	}
	CHECK_EQ(stands_said, 0);
	pool_stop(brood);
}
Test(crossing, old_numbers_that_jobs_close) { case_run(closed_by_jobs, 20000); }

/* ---- so many that workers have no room ---- */

static int counts_free(struct brood_job *job)
{
	int fds[200], n = 0;

	(void)job;
	while (n < 200 && (fds[n] = dup(0)) >= 0)
		n++;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	return n;
}

static void crowded(void)
{
	struct brood_options options = { .workers = 1, .log = listen_to_log };
	struct rlimit limit;
	int n = 0;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 200;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < 165 && dup(0) >= 0)
		n++;
	brood = pool_start(&options);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct brood_job_options o = { .size = sizeof o, .dispatch = paths[i] };

		CHECK_GE(pool_call_with(brood, counts_free, &o).code, 20);
	}
	CHECK_EQ(stands_said, 1);
	pool_stop(brood);
}
Test(crossing, old_numbers_leave_room) { case_run(crowded, 20000); }

/* ---- locks ---- */

static char path[64];

static bool other_gets(bool flocked)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		_exit((flocked ? flock(fd, LOCK_EX | LOCK_NB) : fcntl(fd, F_SETLK, &lock)) == 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static int locked_fd;
static int tries_locked(struct brood_job *job)
{
	(void)job;
	return fails(write(locked_fd, "x", 1), EBADF);
}
static int crashes(struct brood_job *job)
{
	(void)job;
	raise(SIGKILL);
	return 0;
}

static void fcntl_lock(void)
{
	struct brood_options options = { .workers = 2, .log = listen_to_log };

	locked_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* its close would end the lock, too */
	CHECK_GE(open(path, O_RDONLY | O_CLOEXEC), 0);
	CHECK_EQ(lockf(locked_fd, F_TLOCK, 0), 0);
	CHECK(!other_gets(false));
	brood = pool_start(&options);
	CHECK(!other_gets(false));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct brood_job_options o = { .size = sizeof o, .dispatch = paths[i] };

		run(tries_locked, paths[i], 0, 0);
		CHECK_EQ(pool_call_with(brood, crashes, &o).outcome, BROOD_CRASHED);
		CHECK(WAIT_UNTIL(pool_full(brood), 5000));
		CHECK(!other_gets(false));
	}
	/* the engine's is not the lock's owner */
	close(locked_fd);
	CHECK(!other_gets(false));
	pool_stop(brood);
	CHECK(!other_gets(false));
}

/* A flock() belongs to the open file: it ends, as always, when the program closes this file. */
static void flock_lock(void)
{
	struct brood_options options = { .workers = 1, .log = listen_to_log };

	locked_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_EQ(flock(locked_fd, LOCK_EX | LOCK_NB), 0);
	brood = pool_start(&options);
	run(tries_locked, BROOD_PATH_HANDOFF, 0, 0);
	CHECK(!other_gets(true));
	close(locked_fd);
	CHECK(other_gets(true));
	pool_stop(brood);
}

static void with_a_file(void (*body)(void))
{
	snprintf(path, sizeof path, "/tmp/brood-crossing-%d", (int)getpid());
	case_run(body, 20000);
	unlink(path);
}
Test(crossing, fcntl_locks_stay) { with_a_file(fcntl_lock); }
Test(crossing, flock_ends_with_its_file) { with_a_file(flock_lock); }

/* ---- the flags of stdout ---- */

static int makes_it_nonblocking(struct brood_job *job)
{
	(void)job;
	return fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK) < 0;
}
static int does_so_and_dies(struct brood_job *job)
{
	makes_it_nonblocking(job);
	raise(SIGKILL);
	return 0;
}
static int is_nonblocking(struct brood_job *job)
{
	(void)job;
	return (fcntl(1, F_GETFL) & O_NONBLOCK) != 0;
}
static int init_makes_it_nonblocking(void *unused)
{
	(void)unused;
	return makes_it_nonblocking(NULL);
}

static int blocking_stdout(void) { return fcntl(1, F_GETFL) & O_NONBLOCK ? 0 : 1; }

static void flags(int fd, bool by_init)
{
	struct brood_options options = { .workers = 1,
		.log = listen_to_log,
		.worker_init = by_init ? init_makes_it_nonblocking : NULL };

	CHECK_EQ(dup2(fd, 1), 1);
	brood = pool_start(&options);
	CHECK(blocking_stdout());
	for (size_t i = 0; i < ARRAY_SIZE(paths) && !by_init; i++) {
		const struct brood_job_options o = { .size = sizeof o, .dispatch = paths[i] };

		run(makes_it_nonblocking, paths[i], 0, 0);
		CHECK(blocking_stdout());
		run(is_nonblocking, paths[i], 0, 0);
		CHECK_EQ(pool_call_with(brood, does_so_and_dies, &o).outcome, BROOD_CRASHED);
		CHECK(blocking_stdout());
		CHECK(WAIT_UNTIL(pool_full(brood), 5000));
		run(is_nonblocking, paths[i], 0, 0);
	}
	CHECK_EQ(makes_it_nonblocking(NULL), 0); /* the engine's own choice stays */
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		run(job_nothing, paths[i], 0, 0);
		run(makes_it_nonblocking, paths[i], 0, 0);
	}
	CHECK(!blocking_stdout());
	pool_stop(brood);
}

static void flags_of_pipe(void)
{
	int p[2];
	CHECK_EQ(pipe(p), 0);
	flags(p[1], false);
}
static void flags_of_socket(void)
{
	int p[2];
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	flags(p[0], false);
}
static void flags_by_init_pipe(void)
{
	int p[2];
	CHECK_EQ(pipe(p), 0);
	flags(p[1], true);
}
static void flags_by_init_socket(void)
{
	int p[2];
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	flags(p[0], true);
}
Test(crossing, flags_of_a_pipe) { case_run(flags_of_pipe, 20000); }
Test(crossing, flags_of_a_socket) { case_run(flags_of_socket, 20000); }
Test(crossing, flags_that_a_hook_sets)
{
	case_run(flags_by_init_pipe, 20000);
	case_run(flags_by_init_socket, 20000);
}

static void flags_inline(void)
{
	struct brood_options options = { .size = sizeof options, .flags = BROOD_INLINE };
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(dup2(p[1], 1), 1);
	CHECK_EQ(brood_start(&options, &brood), 0);
	run(makes_it_nonblocking, BROOD_PATH_HANDOFF, 0, 0);
	CHECK(blocking_stdout());
	CHECK_EQ(brood_stop(brood), 0);
}
Test(crossing, flags_in_inline_mode) { case_run(flags_inline, 20000); }

/* The worker's file has the number of one of the engine's. */
static int says_a_line(struct brood_job *job)
{
	(void)job;
	return printf("job\n") != 4;
}

static void appended(void)
{
	struct brood_options options = { .workers = 1, .log = listen_to_log };
	char text[64] = "";
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	CHECK_EQ(dup2(fd, 1), 1);
	CHECK_EQ(write(1, "one\n", 4), 4);
	brood = pool_start(&options);
	CHECK_EQ(write(1, "two\n", 4), 4);
	run(says_a_line, BROOD_PATH_HANDOFF, 0, 0);
	CHECK_EQ(write(1, "three\n", 6), 6);
	run(says_a_line, BROOD_PATH_LEASE, 0, 0);
	CHECK_EQ(pread(fd, text, sizeof text - 1, 0), 22);
	CHECK_STR(text, "one\ntwo\njob\nthree\njob\n");
	pool_stop(brood);
}
Test(crossing, lines_in_order) { with_a_file(appended); }

/* ---- the engine becomes a daemon ---- */

static void daemonizes(int log)
{
	struct brood_options options = { .workers = 1 };

	CHECK_EQ(dup2(log, 2), 2);
	brood = pool_start(&options);
	if (daemon(1, 1) == 0) {
		usleep(300000); /* the supervisor sees it meanwhile */
		_exit(0);
	}
	_exit(1);
}

static void daemon_after_start(void)
{
	int log = memfd_create("log", 0), status;
	char text[4096] = "";
	pid_t pid;

	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L), 0);
	pid = fork();
	if (pid == 0)
		daemonizes(log);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(WAIT_UNTIL(
		pread(log, text, sizeof text - 1, 0) > 0 && strstr(text, "daemon()"), 2000));
	CHECK_CONTAINS(text, "call it before brood_start()");
	while (wait(NULL) > 0) /* the daemon's */
		;
}
Test(crossing, daemon_after_the_start) { case_run(daemon_after_start, 20000); }
