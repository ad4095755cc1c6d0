/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - making children: every way is forced, what the raw ways must repair, and what happens
 * when the kernel refuses.
 */
#include "kernel.h"
#include "os/fds.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sys/resource.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

TestSuite(kernel_spawn, .timeout = 120);

static enum process_spawn ways[] = { PROCESS_CLONE3, PROCESS_CLONE, PROCESS_FORK };

static pid_t spawn(enum process_spawn way, int *pidfd)
{
	enum process_spawn used = way;
	pid_t pid = process_spawn(&used, pidfd);

	CHECK_GE(pid, 0);
	CHECK_EQ(used, way);
	return pid;
}

static bool pending(int sig)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, sig);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * All ways must work, or the case would prove nothing. A test skips a way that this kernel does not
 * have.
 */
#define NEEDS_WAYS()                              \
	do {                                      \
		NEEDS_CALL(SYS_pidfd_open, 0, 0); \
		NEEDS_CALL(SYS_clone3, NULL, 0);  \
	} while (0)

/* ---- a child's life -------------------------------------------------------------------------- */

static void life(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int pidfd = -1, before = fds_count();
		struct process_exit end;
		pid_t pid = spawn(ways[i], &pidfd);

		if (pid == 0) {
			CHECK_EQ(pidfd, -1);
			CHECK_EQ(fds_count(), before); /* a child holds no pidfd of its own */
			_exit(7);
		}
		CHECK_EQ(fds_count(), before + 1);
		CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
		CHECK(readable(pidfd, SHORT_MS));
		CHECK_EQ(process_wait(pid, true, &end), 1);
		CHECK_EQ(process_wait(pid, true, &end), 1);
		CHECK_EQ(process_wait(pid, false, &end), 1);
		CHECK_EQ(end.code, CLD_EXITED);
		CHECK_EQ(end.status, 7);
		CHECK_GT(end.usage.ru_maxrss, 0);
		CHECK_EQ(process_wait(pid, false, &end), -ECHILD);
		close(pidfd);
	}
	CHECK_EQ(process_wait(0, false, NULL), -EINVAL);
	CHECK_EQ(process_wait(-1, false, NULL), -EINVAL);
}
Test(kernel_spawn, life)
{
	NEEDS_WAYS();
	case_run(life, 20000);
}

/*
 * Exit signal 0: there is no SIGCHLD, and only a wait with __WALL sees the child. SIGCHLD set to
 * ignored does not reap it.
 */
static void silent(void)
{
	block(SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		bool fork_way = ways[i] == PROCESS_FORK;
		siginfo_t info = { 0 };
		int pidfd;
		pid_t pid = spawn(ways[i], &pidfd);

		if (pid == 0)
			_exit(0);
		CHECK(readable(pidfd, SHORT_MS));
		CHECK_EQ(pending(SIGCHLD), fork_way);
		errno = 0;
		CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), fork_way ? 0 : -1);
		CHECK_EQ(errno, fork_way ? 0 : ECHILD);
		CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL), 0);
		CHECK_EQ(info.si_pid, pid);
		ends_well(pid);
		close(pidfd);
	}
	signal(SIGCHLD, SIG_IGN);
	for (size_t i = 0; i < 2; i++) {
		int pidfd;
		pid_t pid = spawn(ways[i], &pidfd);

		if (pid == 0)
			_exit(0);
		CHECK(readable(pidfd, SHORT_MS));
		ends_well(pid);
		close(pidfd);
	}
}
Test(kernel_spawn, exit_signal_0_children_are_silent)
{
	NEEDS_WAYS();
	case_run(silent, 20000);
}

/* ---- what glibc's fork() does beside forking ------------------------------------------------- */

static pthread_mutex_t *shared_mutexes(void)
{
	pthread_mutex_t *m = case_shared();
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_mutex_init(&m[i], &a), 0);
	return m;
}

static void check_own_mutex(int type)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, type);
	CHECK_EQ(pthread_mutex_init(&m, &a), 0);
	CHECK_EQ(pthread_mutex_lock(&m), 0);
	CHECK_EQ(pthread_mutex_lock(&m), type == PTHREAD_MUTEX_RECURSIVE ? 0 : EDEADLK);
	CHECK_EQ(m.__data.__owner, getpid());
	CHECK_EQ(pthread_mutex_unlock(&m), 0);
}

static void __attribute__((noreturn)) die_with(pthread_mutex_t *m)
{
	check_own_mutex(PTHREAD_MUTEX_RECURSIVE);
	check_own_mutex(PTHREAD_MUTEX_ERRORCHECK);
	CHECK_EQ(pthread_mutex_lock(&m[0]), 0);
	/* the parent's lock: the child does not hold it, though the memory says so */
	CHECK_EQ(pthread_mutex_unlock(&m[1]), EPERM);
	CHECK_EQ(pthread_mutex_lock(&m[2]), 0);
	CHECK_EQ(pthread_mutex_unlock(&m[2]), 0);
	raise(SIGKILL);
	sleep_forever();
}

/*
 * The child's tid is its own, and its robust list is registered and empty: a lock that it held when
 * it was killed says so to the next owner, and a lock of the parent is untouched.
 */
static void mended(void)
{
	pthread_mutex_t *m = shared_mutexes();

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int pidfd;
		pid_t pid;

		CHECK_EQ(pthread_mutex_lock(&m[1]), 0);
		pid = spawn(ways[i], &pidfd);
		if (pid == 0)
			die_with(m);
		CHECK_EQ(end_of(pid).status, SIGKILL);
		close(pidfd);
		CHECK_EQ(pthread_mutex_lock(&m[0]), EOWNERDEAD);
		CHECK_EQ(pthread_mutex_consistent(&m[0]), 0);
		CHECK_EQ(pthread_mutex_unlock(&m[0]), 0);
		CHECK_EQ(pthread_mutex_lock(&m[1]), EDEADLK); /* this process holds it */
		CHECK_EQ(pthread_mutex_unlock(&m[1]), 0);
	}
}
Test(kernel_spawn, tid_and_robust_list_are_mended)
{
	NEEDS_WAYS();
	case_run(mended, 20000);
}

/* raise() and abort() use the tid, too; and a child can fork and spawn. */
static void child_works(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int pidfd;
		pid_t pid = spawn(ways[i], &pidfd);

		if (pid == 0) {
			CHECK_EQ(system("exit 3"), 3 << 8);
			pid = spawn(ways[(i + 1) % ARRAY_SIZE(ways)], &pidfd);
			if (pid == 0)
				abort();
			CHECK_EQ(WTERMSIG(end_of(pid).status), SIGABRT);
			raise(SIGTERM);
			_exit(1);
		}
		CHECK_EQ(end_of(pid).status, SIGTERM);
		close(pidfd);
	}
}
Test(kernel_spawn, a_child_is_a_whole_process)
{
	NEEDS_WAYS();
	case_run(child_works, 20000);
}

/* ---- the kernel says no ---------------------------------------------------------------------- */

static void expect_way(enum process_spawn begin, enum process_spawn expected, bool pidfds)
{
	enum process_spawn way = begin;
	int pidfd = -2, before = fds_count();
	pid_t pid = process_spawn(&way, &pidfd);

	CHECK_GE(pid, 0);
	if (pid == 0)
		_exit(0);
	CHECK_EQ(way, expected);
	CHECK_EQ(pidfd >= 0, pidfds);
	CHECK_EQ(fds_count(), before + pidfds);
	ends_well(pid);
	if (pidfds)
		close(pidfd);
	else
		CHECK_EQ(pidfd, -1);
}

static void missing_clone3(int error)
{
	refuse(SYS_clone3, error);
	expect_way(PROCESS_AUTO, PROCESS_CLONE, true);
	expect_way(PROCESS_CLONE3, PROCESS_CLONE, true);
	expect_way(PROCESS_FORK, PROCESS_FORK, true);
	refuse_if(SYS_clone, CLONE_PIDFD, error);
	expect_way(PROCESS_AUTO, PROCESS_FORK, true);
	expect_way(PROCESS_CLONE, PROCESS_FORK, true);
	refuse(SYS_pidfd_open, error);
	expect_way(PROCESS_AUTO, PROCESS_FORK, false);
}
static void missing_nosys(void) { missing_clone3(ENOSYS); }
static void missing_perm(void) { missing_clone3(EPERM); }
Test(kernel_spawn, enosys_means_missing)
{
	NEEDS_WAYS();
	NEEDS_FILTERS();
	case_run(missing_nosys, 20000);
}
Test(kernel_spawn, eperm_means_missing)
{
	NEEDS_WAYS();
	NEEDS_FILTERS();
	case_run(missing_perm, 20000);
}

static void no_tid_address(void)
{
	/* a bit of PR_GET_TID_ADDRESS, and of nothing else that is asked for here */
	refuse_if(SYS_prctl, 8, EINVAL);
	CHECK_EQ(prctl(PR_GET_TID_ADDRESS, case_shared(), 0L, 0L, 0L), -1);
	expect_way(PROCESS_AUTO, PROCESS_FORK, true);
}
Test(kernel_spawn, no_tid_address_means_fork)
{
	NEEDS_WAYS();
	NEEDS_FILTERS();
	case_run(no_tid_address, 20000);
}

static void expect_error(enum process_spawn way, int error)
{
	enum process_spawn used = way;
	int pidfd = -2, before = fds_count();
	pid_t pid = process_spawn(&used, &pidfd);

	if (pid == 0)
		_exit(0);
	CHECK_EQ(pid, -error);
	CHECK_EQ(used, way);
	CHECK_EQ(pidfd, -2);
	CHECK_EQ(fds_count(), before);
	/* no child */
	CHECK_EQ(waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOHANG | __WALL), -1);
	CHECK_EQ(errno, ECHILD);
}

static const int failures[] = { EAGAIN, ENOMEM, EMFILE, ENFILE };

static void fails_clone3(void *error)
{
	refuse(SYS_clone3, *(const int *)error);
	expect_error(PROCESS_CLONE3, *(const int *)error);
	expect_error(PROCESS_AUTO, *(const int *)error);
}
static void fails_clone(void *error)
{
	refuse(SYS_clone, *(const int *)error);
	expect_error(PROCESS_CLONE, *(const int *)error);
	expect_error(PROCESS_FORK, *(const int *)error);
}
static void fails_pidfd(void *error)
{
	refuse(SYS_pidfd_open, *(const int *)error);
	expect_error(PROCESS_FORK, *(const int *)error);
}

Test(kernel_spawn, failures_come_out_and_leave_nothing)
{
	NEEDS_WAYS();
	NEEDS_FILTERS();
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		int error = failures[i];

		case_run_with(fails_clone3, &error, 20000);
		case_run_with(fails_clone, &error, 20000);
		case_run_with(fails_pidfd, &error, 20000);
	}
}

static void no_fd(void)
{
	struct rlimit limit, full;
	int counted = fds_count();

	getrlimit(RLIMIT_NOFILE, &limit);
	full = limit;
	/* a case has 0-2 alone, so that is the next fd */
	full.rlim_cur = (rlim_t)counted;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		enum process_spawn way = ways[i];
		int pidfd = -2;
		pid_t pid;

		setrlimit(RLIMIT_NOFILE, &full);
		pid = process_spawn(&way, &pidfd);
		if (pid == 0)
			_exit(0);
		setrlimit(RLIMIT_NOFILE, &limit);
		CHECK_EQ(pid, -EMFILE);
		CHECK_EQ(pidfd, -2);
		CHECK_EQ(fds_count(), counted);
		CHECK_EQ(waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOHANG | __WALL), -1);
	}
}
Test(kernel_spawn, a_full_table_of_fds)
{
	NEEDS_WAYS();
	case_run(no_fd, 20000);
}

static void no_process(void)
{
	struct rlimit none = { 0, 0 };

	become_nobody();
	setrlimit(RLIMIT_NPROC, &none);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		expect_error(ways[i], EAGAIN);
}
Test(kernel_spawn, no_more_processes_for_this_user)
{
	NEEDS_WAYS();
	case_run(no_process, 20000);
}

/* ---- signals --------------------------------------------------------------------------------- */

static volatile int got_code, got_pid;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	got_code = info->si_code;
	got_pid = info->si_pid;
}

static void check_signal(bool by_pidfd)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct rlimit no_queue = { 0, 0 };
	enum process_spawn way = PROCESS_AUTO;
	sigset_t none;
	int pidfd;
	pid_t pid;

	sigaction(SIGTERM, &action, NULL);
	block(SIGTERM);
	sigemptyset(&none);
	setrlimit(RLIMIT_SIGPENDING, &no_queue); /* a standard signal needs no room there */
	pid = process_spawn(&way, &pidfd);
	CHECK_GE(pid, 0);
	if (pid == 0) {
		sigsuspend(&none);
		CHECK_EQ(got_code, SI_USER);
		CHECK_EQ(got_pid, getppid());
		_exit(0);
	}
	CHECK_EQ(process_signal(by_pidfd ? pidfd : -1, pid, SIGTERM), 0);
	ends_well(pid);
	CHECK_EQ(process_signal(by_pidfd ? pidfd : -1, pid, SIGTERM), -ESRCH);
	close_fd(pidfd);
}
static void signal_by_pidfd(void) { check_signal(true); }
static void signal_by_kill(void) { check_signal(false); }
static void signal_without_call(void)
{
	refuse(SYS_pidfd_send_signal, ENOSYS);
	check_signal(true);
}
Test(kernel_spawn, a_signal_tells_its_sender)
{
	case_run(signal_by_pidfd, 20000);
	case_run(signal_by_kill, 20000);
}
Test(kernel_spawn, a_signal_without_pidfd_send_signal)
{
	NEEDS_FILTERS();
	case_run(signal_without_call, 20000);
}

static void nobody_else(void)
{
	CHECK_EQ(process_signal(-1, 0, SIGTERM), -EINVAL);
	CHECK_EQ(process_signal(-1, -1, SIGTERM), -EINVAL);
	CHECK_EQ(process_kill_group(0), -EINVAL);
	CHECK_EQ(process_kill_group(1), -EINVAL);
	CHECK_EQ(process_kill_group(-1), -EINVAL);
	CHECK_EQ(process_kill_group(getpgrp()), -EINVAL);
}
Test(kernel_spawn, no_signal_goes_to_everybody) { case_run(nobody_else, 20000); }
