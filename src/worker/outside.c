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
 * SIGTERM, SIGINT, SIGHUP and SIGQUIT are in soft.c. Faults (SIGSEGV and its like), SIGPIPE,
 * SIGXCPU and SIGXFSZ stay as they are: nobody sends these to a whole service.
 *
 * SIG_IGN would not do: a job's own raise() would be lost, and exec() hands it on to children.
 */
#include "outside.h"

#include "../base/base.h"
#include "../os/syscalls.h"
#include "worker.h"

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
		signals_step_aside(sig);
	errno = saved;
}

static const struct sigaction outside_action = { .sa_sigaction = on_signal,
	.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

void outside_prepare(const struct brood_options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		if (!worker_keeps_signal(options, standard[i]))
			sigaction(standard[i], &outside_action, NULL);
	/* valgrind keeps one of them for itself and refuses it: that one is left alone */
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		if (!worker_keeps_signal(options, sig))
			sigaction(sig, &outside_action, NULL);
}

void outside_forget(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		signals_drop(standard[i], &outside_action);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		signals_drop(sig, &outside_action);
}
