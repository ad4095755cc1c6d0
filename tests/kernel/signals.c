/* SPDX-License-Identifier: MIT */
/*
 * signals.c - dispositions that are saved and restored, names, signalfd, dying as another process
 * died.
 */
#include "kernel.h"
#include "os/signals.h"

#include <sys/resource.h>
#include <sys/signalfd.h>

TestSuite(kernel_signals, .timeout = 120);

static void handler(int sig) { (void)sig; }

static struct sigaction action_of(int sig)
{
	struct sigaction a;

	CHECK_EQ(sigaction(sig, NULL, &a), 0);
	return a;
}

static void saved(void)
{
	struct sigaction mine = { .sa_handler = handler, .sa_flags = SA_RESTART };
	static struct signals_state state;
	const int keep[] = { SIGSEGV };
	struct sigaction back;
	sigset_t now;

	sigaddset(&mine.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &mine, NULL);
	sigaction(SIGSEGV, &mine, NULL);
	sigaction(SIGRTMAX, &mine, NULL);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&now);
	sigaddset(&now, SIGWINCH);
	sigprocmask(SIG_SETMASK, &now, NULL);
	signals_save(&state);

	signals_default_all(keep, 1);
	CHECK(action_of(SIGUSR1).sa_handler == SIG_DFL);
	CHECK(action_of(SIGHUP).sa_handler == SIG_DFL);
	CHECK(action_of(SIGRTMAX).sa_handler == SIG_DFL);
	CHECK(action_of(SIGSEGV).sa_handler == handler);
	CHECK_EQ(signals_block_all(&now), 0);
	CHECK(sigismember(&now, SIGWINCH) && !sigismember(&now, SIGTERM));
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGTERM) && sigismember(&now, SIGRTMAX));
	CHECK(!sigismember(&now, SIGSEGV) && !sigismember(&now, SIGABRT) &&
		!sigismember(&now, SIGBUS));

	signals_restore(&state);
	back = action_of(SIGUSR1);
	CHECK(back.sa_handler == handler);
	CHECK(back.sa_flags & SA_RESTART);
	CHECK(sigismember(&back.sa_mask, SIGUSR2));
	CHECK(action_of(SIGHUP).sa_handler == SIG_IGN);
	CHECK(action_of(SIGRTMAX).sa_handler == handler);
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGWINCH) && !sigismember(&now, SIGTERM));
	signals_default_all(NULL, 0);
	CHECK(action_of(SIGSEGV).sa_handler == SIG_DFL);
	CHECK_EQ(signals_block_all(NULL), 0);
}
Test(kernel_signals, save_default_restore) { case_run(saved, 20000); }

static void names(void)
{
	char buffer[16];

	CHECK_STR(signals_name(SIGSEGV, buffer), "SIGSEGV");
	CHECK_STR(signals_name(SIGKILL, buffer), "SIGKILL");
	CHECK_STR(signals_name(SIGRTMIN, buffer), "SIGRTMIN");
	CHECK_STR(signals_name(SIGRTMIN + 3, buffer), "SIGRTMIN+3");
	CHECK_STR(signals_name(99, buffer), "signal 99");
	for (int sig = -70; sig < 200; sig++)
		CHECK_LT(strlen(signals_name(sig, buffer)), sizeof buffer);
	CHECK_LT(strlen(signals_name(INT32_MIN, buffer)), sizeof buffer);
	CHECK_LT(strlen(signals_name(INT32_MAX, buffer)), sizeof buffer);
	for (int sig = 1; sig < 32; sig++)
		CHECK(sig == SIGSTKFLT || strncmp(signals_name(sig, buffer), "SIG", 3) == 0);
}
Test(kernel_signals, names) { case_run(names, 20000); }

static void reading(void)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signals_fd(&set);
	CHECK_GE(fd, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(signals_read(fd, &info), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(signals_read(fd, &info), SIGUSR1);
	CHECK_EQ(info.ssi_pid, (uint32_t)getpid());
	CHECK_EQ(info.ssi_code, SI_USER);
	CHECK_EQ(signals_read(fd, &info), 0); /* standard signals coalesce */
	CHECK_EQ(signals_read(fd + 50, &info), -EBADF);
	/* so do those of children: two deaths, one signal, two to reap */
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			_exit(0);
	CHECK(WAIT_UNTIL(proc_children(getpid(), (pid_t[8]){ 0 }, 8) == 2, SHORT_MS));
	for (int i = 0; i < 2; i++)
		CHECK(waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED) == 0);
	CHECK_EQ(signals_read(fd, &info), SIGCHLD);
	/* a child reads its own signals from it, and not its parent's */
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	if (fork() == 0)
		_exit(signals_read(fd, &info) != 0);
	CHECK_EQ(waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED), 0);
	CHECK_EQ(signals_read(fd, &info), SIGUSR1);
}
Test(kernel_signals, signalfd) { case_run(reading, 20000); }

/* ---- dying like ------------------------------------------------------------------------------ */

static struct process_exit dying(int sig, int way)
{
	pid_t pid = fork();

	CHECK_GE(pid, 0);
	if (pid == 0) {
		sigset_t all;

		if (way == 1)
			signal(sig, SIG_IGN);
		if (way == 2) {
			sigfillset(&all);
			sigprocmask(SIG_SETMASK, &all, NULL);
			kill(getpid(), SIGTERM); /* a pending signal, which must not win */
		}
		signals_die_like(sig);
	}
	return end_of(pid);
}

static void die_like(void)
{
	static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE,
		SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGXCPU, SIGSYS };
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &core);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		for (int way = 0; way < 3; way++) {
			struct process_exit end = dying(deadly[i], way);

			CHECK_EQ(end.code, CLD_KILLED); /* and not CLD_DUMPED */
			CHECK_EQ(end.status, deadly[i]);
		}
	}
	CHECK_EQ(dying(SIGCHLD, 0).status, 128 + SIGCHLD); /* nobody dies of that */
	CHECK_EQ(dying(SIGRTMAX, 0).status, SIGRTMAX);
}
Test(kernel_signals, die_like_without_a_core) { case_run(die_like, 60000); }

/* PID 1 of a namespace does not die of its own signals, so its exit code says it. */
static void init_dies(void)
{
	struct process_exit end;
	enum process_spawn way = PROCESS_AUTO;
	int pidfd;
	pid_t pid;

	CHECK_EQ(syscall(SYS_unshare, 0x20000000 /* CLONE_NEWPID */), 0);
	pid = process_spawn(&way, &pidfd);
	CHECK_GE(pid, 0);
	if (pid == 0) {
		CHECK_EQ(getpid(), 1);
		signals_die_like(SIGTERM);
	}
	end = end_of(pid);
	CHECK_EQ(end.code, CLD_EXITED);
	CHECK_EQ(end.status, 128 + SIGTERM);
}

static bool new_pid_namespace(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(syscall(SYS_unshare, 0x20000000) != 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

Test(kernel_signals, pid_1_exits_instead)
{
	if (!new_pid_namespace())
		cr_skip_test("no new PID namespace: not root, or not allowed");
	case_run(init_dies, 20000);
}
