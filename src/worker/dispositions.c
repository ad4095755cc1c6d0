/* SPDX-License-Identifier: MIT */
/*
 * dispositions.c - see dispositions.h.
 *
 * TERM, INT, HUP and QUIT tell a job to end: soft.c. Faults, traps and aborts have a handler that
 * notes where the code was, and lets the default action take place: fault.c. An abort that a
 * service manager sends to all processes is ignored there: a thousand cores would help nobody.
 *
 * Somebody outside sends signals to all processes of the service: a log rotation sends SIGUSR1 to
 * every process of a unit. The signal is meant for the engine: its default action would end the
 * worker, and with it the job that runs. So each signal that ends a process by default, and that a
 * manager or an administrator may send, has a handler that ignores it when another process sent it.
 * The ordinary meaning stays for what happens inside the worker: raise() and kill() of the worker
 * itself, timers, I/O that became ready, limits that were reached. Then the handler restores the
 * default action and sends the signal again. A job's child counts as another process: what it sends
 * to its parent is ignored, unless the job has a handler of its own. SIG_IGN would not do: a job's
 * own raise() would be lost, and exec() hands it on to children.
 *
 * SIGSYS has a handler where jobs are watched for system calls (src/os/syscalls.h); any other
 * SIGSYS is a fault like the others. All other dispositions are default, except those of
 * options.keep_signals, which stay as inherited. TERM always tells a job to end; INT, HUP and QUIT
 * stay as inherited when the list names them. Nobody sends faults (SIGSEGV and its like), SIGPIPE,
 * SIGXCPU and SIGXFSZ to a whole service. SIGPIPE is default: a job that writes to a broken pipe
 * with its own write() dies of it, unless the program keeps an inherited SIG_IGN. The library's own
 * writes never raise it.
 *
 * SIGURG asks where a slow job is: soft.c. From others it means nothing, as by default.
 *
 * A job's children get default dispositions: exec() sets them, and after fork() an atfork handler
 * does.
 */
#include "dispositions.h"

#include "../os/syscalls.h"
#include "fault.h"
#include "soft.h"
#include "worker.h"

#include <pthread.h>

static bool sent_by_another(const siginfo_t *info)
{
	bool sent = info->si_code == SI_USER || info->si_code == SI_QUEUE ||
		info->si_code == SI_TKILL;

	return sent && info->si_pid != the_worker.pid;
}

static void on_outside(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	syscalls_note(); /* the return from a handler is a system call */
	if (!worker_is_self() || !sent_by_another(info))
		signals_step_aside(sig);
	errno = saved;
}

static const struct sigaction outside_action = { .sa_sigaction = on_outside,
	.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

static const struct {
	int sig;
	const struct sigaction *action;
} ours[] = {
	{ SIGTERM, &soft_action },
	{ SIGINT, &soft_action },
	{ SIGHUP, &soft_action },
	{ SIGQUIT, &soft_action },
	{ SIGUSR1, &outside_action },
	{ SIGUSR2, &outside_action },
	{ SIGALRM, &outside_action },
	{ SIGVTALRM, &outside_action },
	{ SIGPROF, &outside_action },
	{ SIGIO, &outside_action },
	{ SIGPWR, &outside_action },
#ifdef SIGSTKFLT
	{ SIGSTKFLT, &outside_action },
#endif
	{ SIGURG, &soft_urgent_action },
	{ SIGSEGV, &fault_action },
	{ SIGBUS, &fault_action },
	{ SIGILL, &fault_action },
	{ SIGFPE, &fault_action },
	{ SIGTRAP, &fault_action },
	{ SIGABRT, &fault_abort_action },
};

static bool keeps(const struct brood_options *options, int sig)
{
	return signals_listed(options->keep_signals, options->keep_signals_count, sig);
}

/*
 * Sets the handlers, but for signals that the options keep; options NULL (in the spawner): keeps
 * none. A failure is ignored: valgrind refuses a handler for the one signal that it uses itself.
 */
static void handle_all(const struct brood_options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (ours[i].sig == SIGTERM || !options || !keeps(options, ours[i].sig))
			sigaction(ours[i].sig, ours[i].action, NULL);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		if (!options || !keeps(options, sig))
			sigaction(sig, &outside_action, NULL);
}

/*
 * For a pool that keeps signals. wire/birth.c has put the program's handlers of these in place;
 * here all other signals, and SIGTERM in any case, get the library's handlers.
 */
static void handle_rest(const struct brood_options *options)
{
	if (options->keep_signals_count == 0)
		return;
	worker_may_fork(); /* a handler of the program runs at any time, and may make a process */
	handle_all(options);
}

static void in_child(void)
{
	the_worker.forked = true;
	syscalls_forget();
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		signals_drop(ours[i].sig, ours[i].action);
	signals_drop(SIGSYS, &fault_action);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		signals_drop(sig, &outside_action);
}

int dispositions_prepare(const struct brood_options *options)
{
	if (options)
		signals_default_all(options->keep_signals, options->keep_signals_count);
	handle_all(options);
	return -pthread_atfork(NULL, NULL, in_child);
}

/* True: handle_all() has seen to the signal. */
static bool is_ours(int sig)
{
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (ours[i].sig == sig)
			return true;
	return sig >= SIGRTMIN;
}

/*
 * A signal that the supervisor passes on to the engine may be sent to all processes of the service.
 * So none of them ends a worker, whatever its default action is.
 */
static void handle_passed(const struct brood_options *options)
{
	for (size_t i = 0; i < options->pass_signals_count; i++) {
		struct sigaction now;
		int sig = options->pass_signals[i];

		if (!is_ours(sig) && !keeps(options, sig) && sigaction(sig, NULL, &now) == 0 &&
			now.sa_handler == SIG_DFL)
			sigaction(sig, &outside_action, NULL);
	}
}

bool dispositions_are_ours(const struct sigaction *a)
{
	if (a->sa_handler == SIG_DFL || a->sa_handler == SIG_IGN ||
		a->sa_sigaction == outside_action.sa_sigaction)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (a->sa_sigaction == ours[i].action->sa_sigaction)
			return true;
	return false;
}

int dispositions_open(const struct brood_options *options)
{
	static const sigset_t none; /* no call of sigemptyset(): that is one page fault less */

	handle_rest(options);
	handle_passed(options);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/*
 * A seccomp filter may refuse system calls by SIGSYS: the fault handler notes that. Where jobs are
 * watched for system calls, SIGSYS has a handler already, which hands such a signal on.
 */
static void handle_refusals(void)
{
	struct sigaction now;

	syscalls_on_other = fault_refused;
	if (!syscalls_watched && sigaction(SIGSYS, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		sigaction(SIGSYS, &fault_action, NULL);
}

static bool prepared; /* SIGSYS has the handler of watched calls */

void dispositions_prepare_watch(const struct brood_options *options)
{
	prepared = !(options->flags & BROOD_DEBUGGING) && syscalls_prepare() == 0;
	if (prepared)
		syscalls_on_other = fault_refused;
	else
		handle_refusals();
}

void dispositions_inherit(void)
{
	if (prepared && syscalls_watch_prepared() < 0)
		handle_refusals();
}

/*
 * After worker_init, which may have changed signals: SIGTERM is the library's again. SIGSYS is left
 * alone if the program keeps it; with BROOD_DEBUGGING jobs are not watched for system calls, or a
 * debugger would stop at each trap.
 */
void dispositions_ready(const struct brood_options *options)
{
	sigset_t term;

	sigaction(SIGTERM, &soft_action, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	if (keeps(options, SIGSYS))
		return;
	if (!(options->flags & BROOD_DEBUGGING))
		syscalls_watch();
	handle_refusals();
}
