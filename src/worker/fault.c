/* SPDX-License-Identifier: MIT */
/*
 * fault.c - the last thing that a worker's library code does before a signal ends it: notes where
 * the code was (trace.c), and whether memory was refused (memory.c). Then the signal takes its
 * default action, with the same registers, number, code and address: a core file is the one that
 * would have been made without this handler.
 *
 * A handler of the program, installed by a hook or a job or kept by options.keep_signals, takes the
 * place of this one. A thread that a job made has no alternate stack: when such a stack overflows,
 * nothing is noted.
 */
#include "fault.h"

#include "../os/syscalls.h"
#include "memory.h"
#include "trace.h"
#include "worker.h"

static void on_fault(int sig, siginfo_t *info, void *context)
{
	int error = errno;

	syscalls_note(); /* the handler makes system calls, and its return is one */
	if (trace_fell(info, context))
		return;
	if (worker_is_self()) {
		memory_note_death(error);
		trace_crash(sig, info, context, error);
	}
	signals_pass_on(sig, info);
	errno = error;
}

const struct sigaction fault_action = { .sa_sigaction = on_fault,
	.sa_flags = SA_SIGINFO | SA_ONSTACK };

static bool from_outside(const siginfo_t *info)
{
	bool sent = info->si_code == SI_USER || info->si_code == SI_QUEUE ||
		info->si_code == SI_TKILL;

	return sent && info->si_pid != the_worker.pid && info->si_pid != getppid();
}

static void on_abort(int sig, siginfo_t *info, void *context)
{
	syscalls_note(); /* getppid(), and the return from a handler */
	if (!worker_is_self() || !from_outside(info))
		on_fault(sig, info, context);
}

const struct sigaction fault_abort_action = { .sa_sigaction = on_abort,
	.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

void fault_refused(int sig, siginfo_t *info, void *context) { on_fault(sig, info, context); }
