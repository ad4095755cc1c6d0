/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

/*
 * KILL and STOP cannot be changed. The C library owns those between the classic signals and the
 * real-time signals.
 */
static bool changeable(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP && (sig < 32 || sig >= SIGRTMIN) && sig <= SIGRTMAX;
}

void signals_save(struct signals_state *ret)
{
	memset(ret, 0, sizeof *ret);
	sigprocmask(SIG_SETMASK, NULL, &ret->mask);
	for (int sig = 1; sig < SIGNALS_MAX; sig++)
		if (changeable(sig))
			sigaction(sig, NULL, &ret->actions[sig]);
}

/* Compares only the kernel's part of a mask; the rest is not filled. */
static bool same_mask(const sigset_t *a, const sigset_t *b)
{
	for (int sig = 1; sig < SIGNALS_MAX; sig++)
		if (sigismember(a, sig) != sigismember(b, sig))
			return false;
	return true;
}

/* sa_handler and sa_sigaction share their place, so one of them is compared. */
static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
	return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags &&
		same_mask(&a->sa_mask, &b->sa_mask);
}

/* Restores the mask last: a pending signal must meet the handlers that were there. */
void signals_restore(const struct signals_state *s)
{
	struct sigaction now;

	for (int sig = 1; sig < SIGNALS_MAX; sig++)
		if (changeable(sig) && sigaction(sig, NULL, &now) == 0 &&
			!same_action(&now, &s->actions[sig]))
			sigaction(sig, &s->actions[sig], NULL);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

bool signals_listed(const int *list, size_t count, int sig)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == sig)
			return true;
	return false;
}

void signals_default_all(const int *keep, size_t keep_count)
{
	struct sigaction def = { .sa_handler = SIG_DFL }, now;

	sigemptyset(&def.sa_mask);
	for (int sig = 1; sig < SIGNALS_MAX; sig++) {
		if (!changeable(sig) || signals_listed(keep, keep_count, sig))
			continue;
		if (sigaction(sig, NULL, &now) == 0 &&
			(now.sa_handler != SIG_DFL || now.sa_flags != 0))
			sigaction(sig, &def, NULL);
	}
}

int signals_block_all(sigset_t *ret_old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT };
	sigset_t all, old;

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	if (sigprocmask(SIG_SETMASK, &all, &old) < 0)
		return -errno;
	if (ret_old)
		*ret_old = old;
	return 0;
}

void signals_block_abort(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGABRT);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int signals_fd(const sigset_t *set)
{
	int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int signals_read(int fd, struct signalfd_siginfo *ret_info)
{
	struct signalfd_siginfo info;
	ssize_t n = TEMP_FAILURE_RETRY(read(fd, &info, sizeof info));

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n != (ssize_t)sizeof info)
		return -EIO;
	*ret_info = info;
	return (int)info.ssi_signo;
}

#define NAMED(signal_) [signal_] = #signal_
const char *signals_name(int sig, char buffer[16])
{
	static const char *const names[] = { NAMED(SIGHUP), NAMED(SIGINT), NAMED(SIGQUIT),
		NAMED(SIGILL), NAMED(SIGTRAP), NAMED(SIGABRT), NAMED(SIGBUS), NAMED(SIGFPE),
		NAMED(SIGKILL), NAMED(SIGUSR1), NAMED(SIGSEGV), NAMED(SIGUSR2), NAMED(SIGPIPE),
		NAMED(SIGALRM), NAMED(SIGTERM), NAMED(SIGCHLD), NAMED(SIGCONT), NAMED(SIGSTOP),
		NAMED(SIGTSTP), NAMED(SIGTTIN), NAMED(SIGTTOU), NAMED(SIGURG), NAMED(SIGXCPU),
		NAMED(SIGXFSZ), NAMED(SIGVTALRM), NAMED(SIGPROF), NAMED(SIGWINCH), NAMED(SIGIO),
		NAMED(SIGPWR), NAMED(SIGSYS) };

	if (sig > 0 && (size_t)sig < ARRAY_SIZE(names) && names[sig])
		return names[sig];
	if (sig == SIGRTMIN)
		return "SIGRTMIN";
	if (sig > SIGRTMIN && sig <= SIGRTMAX)
		snprintf(buffer, 16, "SIGRTMIN+%u", (unsigned)(sig - SIGRTMIN) % 100);
	else
		snprintf(buffer, 16, "signal %u", (unsigned)sig % 1000000);
	return buffer;
}

void signals_die_like(int sig)
{
	struct sigaction def = { .sa_handler = SIG_DFL };
	struct rlimit none = { 0, 0 };
	sigset_t others;

	/* A second core file, of a process that did nothing wrong, would only mislead. */
	prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	setrlimit(RLIMIT_CORE, &none);
	sigemptyset(&def.sa_mask);
	sigaction(sig, &def, NULL);
	/* Unblocks this signal alone: another pending signal must not end the process first. */
	sigfillset(&others);
	sigdelset(&others, sig);
	sigprocmask(SIG_SETMASK, &others, NULL);
	raise(sig);
	_exit(128 + sig);
}

void signals_drop(int sig, const struct sigaction *ours)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	struct sigaction now;

	if (sigaction(sig, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
		now.sa_sigaction == ours->sa_sigaction)
		sigaction(sig, &action, NULL);
}

/*
 * Sends the signal to this process once more, with its code, which the kernel allows. In a sandbox
 * that refuses this, the default action comes all the same: an instruction that failed fails again,
 * and a signal that was sent is sent again by kill().
 */
void signals_pass_on(int sig, const siginfo_t *info)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	const pid_t pid = getpid();
	sigset_t one;

	sigaction(sig, &action, NULL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	sigprocmask(SIG_BLOCK, &one, NULL);
	if (syscall(SYS_rt_tgsigqueueinfo, pid, (pid_t)syscall(SYS_gettid), sig, info) < 0 &&
		(info->si_code <= 0 || sig == SIGTRAP || sig == SIGSYS))
		kill(pid, sig);
}

void signals_step_aside(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(sig, &action, NULL);
	/*
	 * The signal stays blocked until the handler returns. raise() would be wrong: after a raw
	 * clone the C library's memory has the parent's thread id.
	 */
	kill(getpid(), sig);
}
