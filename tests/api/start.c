/* SPDX-License-Identifier: MIT */
/*
 * start.c - brood_start(): what it refuses, in which words, that a refusal leaves nothing behind,
 * and what the engine finds as it was.
 */
#include "pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(start, .timeout = 120);

#ifdef __SANITIZE_ADDRESS__ /* whose allocator maps as it likes */
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- Nothing is left of a start that failed ---- */

struct footprint {
	int fds;
	int mappings;
	sigset_t mask;
	struct sigaction chld, term;
	char *notify;
};

/* But for the heap: after a fork it grows by a mapping of its own. */
static int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int lines = 0;

	CHECK(maps);
	while (fgets(line, sizeof line, maps))
		lines += !strstr(line, "[heap]");
	fclose(maps);
	return lines;
}

static struct footprint footprint(void)
{
	struct footprint f = { .fds = proc_own_fds(), .notify = getenv("NOTIFY_SOCKET") };

	f.mappings = count_mappings();
	sigprocmask(SIG_SETMASK, NULL, &f.mask);
	sigaction(SIGCHLD, NULL, &f.chld);
	sigaction(SIGTERM, NULL, &f.term);
	return f;
}

static void check_same(struct footprint before)
{
	struct footprint after = footprint();
	char list[2048];

	CHECK_MSG(after.fds == before.fds, "%d, %d\n%s", before.fds, after.fds,
		proc_fd_list(getpid(), list, sizeof list));
	CHECK_MEM(&after.mask, &before.mask, sizeof before.mask);
	CHECK(after.chld.sa_handler == before.chld.sa_handler &&
		after.term.sa_handler == before.term.sa_handler);
	CHECK_EQ(after.notify != NULL, before.notify != NULL);
	CHECK_EQ(brood_role(), BROOD_ROLE_NONE);
}

static void refused(const struct brood_options *options, int error, const char *words)
{
	struct footprint before = footprint();
	struct brood *brood = NULL;
	int r = brood_start(options, &brood);

	CHECK_MSG(r == error, "%d (%s)", r, brood_error());
	CHECK_CONTAINS(brood_error(), words);
	CHECK(!brood);
	check_same(before);
}

#define REFUSED(words, ...)                                                                   \
	refused(&(struct brood_options){ .size = sizeof(struct brood_options), __VA_ARGS__ }, \
		-EINVAL, words)

static void options(void)
{
	static const int closed[] = { 77 }, kill_it[] = { SIGKILL }, child[] = { SIGCHLD },
			 strange[] = { 32 }, fault[] = { SIGSEGV };

	refused(&(struct brood_options){ .size = 0 }, -EINVAL, "sizeof options");
	refused(&(struct brood_options){ .size = 8 }, -EINVAL, "size is 8");
	refused(&(struct brood_options){ .size = 1 << 20 }, -EINVAL, "size");
	REFUSED("flags", .flags = 1u << 31);
	REFUSED("an hour", .stop_delay_ms = 3600001);
	REFUSED("stop_delay_ms", .stop_delay_ms = BROOD_FOREVER);
	REFUSED("workers is 10001", .workers = 10001);
	REFUSED("backlog is 65537", .backlog = 65537);
	REFUSED("spawn is 4", .spawn = 4);
	REFUSED("backoff", .backoff_min_ms = 2000, .backoff_max_ms = 1000);
	REFUSED("backoff", .backoff_max_ms = BROOD_FOREVER);
	REFUSED("stack_size is 100", .stack_size = 100);
	REFUSED("tolerate", .tolerate = 1u << 30);
	REFUSED("keep_fds[0] is 77", .keep_fds = closed, .keep_fds_count = 1);
	REFUSED("keep_fds is NULL", .keep_fds_count = 1);
	REFUSED("at most 64", .keep_fds = closed, .keep_fds_count = 65);
	REFUSED("SIGKILL", .pass_signals = kill_it, .pass_signals_count = 1);
	REFUSED("supervisor's own", .pass_signals = child, .pass_signals_count = 1);
	REFUSED("supervisor's own", .pass_signals = fault, .pass_signals_count = 1);
	REFUSED("no signal", .keep_signals = strange, .keep_signals_count = 1);
	REFUSED("reserved", .reserved = { [3] = 1 });
	CHECK_EQ(brood_start(NULL, NULL), -EINVAL);
	CHECK_CONTAINS(brood_error(), "ret_brood");
}
Test(start, options) { case_run(options, 20000); }

/* A newer program's struct is longer: fine as long as the rest is zero. */
static void longer_struct(void)
{
	struct {
		struct brood_options o;
		uint64_t later[4];
	} newer = { .o = { .size = sizeof newer, .workers = 1 } };
	struct brood *brood;

	newer.later[2] = 1;
	refused(&newer.o, -EINVAL, "newer version");
	newer.later[2] = 0;
	CHECK_EQ(brood_start(&newer.o, &brood), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, longer_struct) { case_run(longer_struct, 20000); }

static void *wait_for_end(void *arg)
{
	pthread_barrier_t *barrier = arg;

	prctl(PR_SET_NAME, "nosy-library");
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return NULL;
}

static void threads(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	pthread_barrier_t barrier;
	pthread_t thread;
	struct brood *brood;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_end, &barrier), 0);
	pthread_barrier_wait(&barrier);
	refused(&o, -EBUSY, "nosy-library");
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, threads) { case_run(threads, 20000); }

static void hard_limit(void)
{
	struct rlimit limit = { .rlim_cur = 200, .rlim_max = 200 };
	struct brood_options o = { .size = sizeof o, .workers = 10, .backlog = 100 };
	struct brood *brood;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	refused(&o, -EMFILE, "hard limit is 200");
	CHECK_CONTAINS(brood_error(), "need 260 open files");
	o.backlog = 40;
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, hard_limit) { case_run(hard_limit, 20000); }

/* ---- Starts that cannot work ---- */

static void no_room_for_files(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	struct rlimit limit = { 0, RLIM_INFINITY };
	struct brood *brood;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 0;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	refused(&o, -EFBIG, "RLIMIT_FSIZE is 0 bytes");
	limit.rlim_cur = 64u << 20;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, no_room_for_files) { case_run(no_room_for_files, 20000); }

static void other_pid_namespace(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0)
		refused(&o, -EINVAL, "unshare(CLONE_NEWPID)");
}
Test(start, other_pid_namespace) { case_run(other_pid_namespace, 20000); }

/* An empty folder as the root, then one with a file that is no device. */
static void no_dev_null(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	char folder[] = "/tmp/brood-start-XXXXXX";

	CHECK(mkdtemp(folder));
	if (unshare(CLONE_NEWUSER) == 0 && chroot(folder) == 0 && chdir("/") == 0) {
		struct brood *brood = NULL;

		CHECK_EQ(brood_start(&o, &brood), -ENOENT);
		CHECK_CONTAINS(brood_error(), "/dev/null");
		CHECK_EQ(mkdir("/dev", 0700), 0);
		close(open("/dev/null", O_CREAT | O_WRONLY, 0600));
		CHECK_EQ(brood_start(&o, &brood), -ENODEV);
		CHECK_CONTAINS(brood_error(), "/dev/null");
		CHECK(!brood);
		unlink("/dev/null");
		rmdir("/dev");
	}
}
Test(start, no_dev_null) { case_run(no_dev_null, 20000); }

/* The soft limit at every height: a start that fails at any step takes the steps before it back. */
static void every_step_taken_back(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 2, .backlog = 8 };
	struct rlimit limit;
	struct brood *brood;
	int r, failures = 0;

	setenv("NOTIFY_SOCKET", "@brood-test-nobody", 1);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (rlim_t soft = (rlim_t)proc_own_fds();; soft++) {
		struct footprint before = footprint();
		int mappings;

		limit.rlim_cur = soft;
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
		r = brood_start(&o, &brood);
		if (r == 0)
			break;
		limit.rlim_cur = limit.rlim_max;
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
		CHECK_MSG(r == -EMFILE, "%d (%s)", r, brood_error());
		check_same(before);
		mappings = SANITIZED ? 0 : count_mappings();
		CHECK_MSG(failures == 0 || mappings <= before.mappings, "%d, %d", before.mappings,
			mappings);
		failures++;
	}
	CHECK_GE(failures, 8);
	CHECK_EQ(getenv("NOTIFY_SOCKET") != NULL, false);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, every_step_taken_back) { case_run(every_step_taken_back, 30000); }

static void bad_notify_socket(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };

	setenv("NOTIFY_SOCKET", "nowhere", 1);
	refused(&o, -EINVAL, "NOTIFY_SOCKET is \"nowhere\"");
	CHECK_STR(getenv("NOTIFY_SOCKET"), "nowhere");
}
Test(start, bad_notify_socket) { case_run(bad_notify_socket, 20000); }

/* ---- Who may call ---- */

static int job_start(struct brood_job *job)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	struct brood *brood = NULL;
	struct {
		int role, start;
		ssize_t call;
		char error[200];
	} answer;

	answer.role = brood_role();
	answer.start = brood_start(&o, &brood);
	answer.call = brood_call(brood, job_nothing, "", 0, NULL, 0, NULL, NULL);
	snprintf(answer.error, sizeof answer.error, "%s", brood_error());
	return brood_job_reply(job, &answer, sizeof answer) == sizeof answer ? 0 : 1;
}

static int job_forks(struct brood_job *job)
{
	pid_t pid = fork();
	int status;

	(void)job;
	if (pid == 0)
		_exit(brood_role() == BROOD_ROLE_FORKED && brood_start(NULL, NULL) == -EPERM ? 7
											     : 8);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void roles(void)
{
	struct {
		int role, start;
		ssize_t call;
		char error[200];
	} answer;
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	struct brood *brood, *second = NULL;
	struct brood_verdict v;
	int status;
	pid_t pid;

	CHECK_EQ(brood_role(), BROOD_ROLE_NONE);
	CHECK_EQ(brood_call(NULL, job_nothing, "", 0, NULL, 0, NULL, NULL), -EINVAL);
	brood = pool_start(&o);
	CHECK_EQ(brood_role(), BROOD_ROLE_ENGINE);
	CHECK_EQ(brood_start(&o, &second), -EALREADY);
	CHECK(!second);
	CHECK_EQ(brood_call(brood, job_start, "", 0, &answer, sizeof answer, NULL, NULL),
		(ssize_t)sizeof answer);
	CHECK_EQ(answer.role, BROOD_ROLE_WORKER);
	CHECK_EQ(answer.start, -EPERM);
	CHECK_EQ(answer.call, -EPERM);
	CHECK_CONTAINS(answer.error, "worker");
	v = pool_call(brood, job_forks, "job_forks", "", 0, NULL);
	CHECK_EQ(v.code, 7);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(brood_role(), BROOD_ROLE_FORKED);
		CHECK_EQ(brood_start(&o, &second), -EPERM);
		CHECK_EQ(brood_call(brood, job_nothing, "", 0, NULL, 0, NULL, NULL), -EPERM);
		CHECK_EQ(brood_dispatch(brood), -EPERM);
		CHECK_EQ(brood_fd(brood), -EPERM);
		CHECK_EQ(brood_cancel(brood, 1), -EPERM);
		CHECK_EQ(brood_rearm(), -EPERM);
		CHECK_EQ(brood_stop(brood), -EPERM);
		CHECK_CONTAINS(brood_error(), "forked");
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	pool_stop(brood);
	CHECK_EQ(brood_stop(brood), -ESHUTDOWN);
	CHECK_EQ(brood_call(brood, job_nothing, "", 0, NULL, 0, NULL, NULL), -ESHUTDOWN);
	CHECK_EQ(brood_start(&o, &second), -EALREADY);
}
Test(start, roles) { case_run(roles, 30000); }

/* ---- The engine is as the caller was ---- */

static void on_usr1(int sig) { (void)sig; }

static void engine_is_as_the_caller(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	struct rlimit limit = { 0 }, after;
	struct sigaction action;
	sigset_t mask, now;
	pid_t before = getpid();
	struct brood *brood;
	int pair[2];

	signal(SIGUSR1, on_usr1);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_NE(getpid(), before);
	CHECK_EQ(getppid(), before);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
	CHECK_EQ(after.rlim_cur, 64);
	CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
	CHECK_EQ(sigismember(&now, SIGUSR2), 1);
	CHECK_EQ(sigismember(&now, SIGTERM), 0);
	sigaction(SIGUSR1, NULL, &action);
	CHECK(action.sa_handler == on_usr1);
	sigaction(SIGCHLD, NULL, &action);
	CHECK(action.sa_handler == SIG_IGN);
	CHECK_EQ(fcntl(pair[0], F_GETFD), 0);
	/* Its copies are gone from the supervisor: closing here is closing. */
	CHECK_EQ(close(pair[0]), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	CHECK_EQ(send(pair[1], "x", 1, MSG_NOSIGNAL), -1);
	CHECK_EQ(errno, EPIPE);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, engine_is_as_the_caller) { case_run(engine_is_as_the_caller, 20000); }

static int prepared, in_parent, in_child;
static void on_prepare(void) { prepared++; }
static void on_parent(void) { in_parent++; }
static void on_child(void) { in_child++; }

static void atfork_handlers(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	struct brood *brood;

	pthread_atfork(on_prepare, on_parent, on_child);
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(prepared, 1);
	CHECK_EQ(in_parent, 0);
	CHECK_EQ(in_child, 1);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, atfork_handlers) { case_run(atfork_handlers, 20000); }

/* What stood in a stdio buffer comes out once. */
static void buffers_are_flushed(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 2 };
	char path[] = "/tmp/brood-test.XXXXXX", text[64] = "";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w+");
	struct brood *brood;

	CHECK(file && fd >= 0);
	unlink(path);
	fputs("once\n", file);
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	CHECK_EQ(brood_stop(brood), 0);
	fflush(file);
	CHECK_EQ(pread(fd, text, sizeof text - 1, 0), 5);
	CHECK_STR(text, "once\n");
	fclose(file);
}
Test(start, buffers_are_flushed) { case_run(buffers_are_flushed, 20000); }

static void closed_standard_fds(void)
{
	struct brood_options o = { .size = sizeof o, .workers = 1 };
	struct brood *brood;

	close(0);
	close(1);
	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(fcntl(0, F_GETFD), -1);
	CHECK_EQ(fcntl(1, F_GETFD), -1);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	CHECK_EQ(pool_call(brood, job_nothing, "job_nothing", "", 0, NULL).outcome, BROOD_DONE);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(start, closed_standard_fds) { case_run(closed_standard_fds, 20000); }
