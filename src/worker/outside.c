/* SPDX-License-Identifier: MIT */
/*
 * outside.c - signals that somebody outside sends to all processes of the service.
 *
 * A log rotation sends SIGUSR1 to every process of a unit. The signal is meant for the engine: its
 * default action would end the worker, and with it the job that runs. So each signal that ends a
 * process by default, and that a manager or an administrator may send, has a handler that ignores
 * it when another process sent it.
 *
 * The ordinary meaning stays for what happens inside the worker: raise() and kill() of the worker
 * itself, timers, I/O that became ready, limits that were reached. Then the handler restores the
 * default action and sends the signal again. A job's child counts as another process: what it sends
 * to its parent is ignored, unless the job has a handler of its own.
 *
 * SIGTERM, SIGINT, SIGHUP and SIGQUIT are in signals.c. Faults (SIGSEGV and its like), SIGPIPE,
 * SIGXCPU and SIGXFSZ stay as they are: nobody sends these to a whole service.
 *
 * SIG_IGN would not do: a job's own raise() would be lost, and exec() hands it on to children.
 */
#include "outside.h"
#include "state.h"

#include "../base/base.h"

#include <errno.h>
#include <unistd.h>

static const int standard[] = {
	SIGUSR1,
	SIGUSR2,
	SIGALRM,
	SIGVTALRM,
	SIGPROF,
	SIGIO,
	SIGPWR,
#ifdef SIGSTKFLT
	SIGSTKFLT,
#endif
};

static bool sent_by_another(const siginfo_t *info)
{
	bool sent = info->si_code == SI_USER || info->si_code == SI_QUEUE ||
		info->si_code == SI_TKILL;

	return sent && info->si_pid != the_worker.pid;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	syscalls_note(); /* returning is a system call */
	if (!worker_is_self() || !sent_by_another(info))
		worker_step_aside(sig);
	errno = saved;
}

static bool kept(const struct brood_options *options, int sig)
{
	for (size_t i = 0; i < options->keep_signals_count; i++)
		if (options->keep_signals[i] == sig)
			return true;
	return false;
}

void outside_prepare(const struct brood_options *options)
{
	struct sigaction action = { .sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		if (!kept(options, standard[i]))
			sigaction(standard[i], &action, NULL);
	/* valgrind keeps one of them for itself and refuses it: that one is left alone */
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		if (!kept(options, sig))
			sigaction(sig, &action, NULL);
}

static void restore_default(int sig)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	struct sigaction now;

	if (sigaction(sig, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
		now.sa_sigaction == on_signal)
		sigaction(sig, &action, NULL);
}

void outside_forget(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		restore_default(standard[i]);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		restore_default(sig);
}
