/* SPDX-License-Identifier: MIT */
/*
 * signals.c - what signals mean in a worker.
 *
 * TERM, INT, HUP and QUIT have a handler. It looks at the slot's page, where the supervisor writes
 * which job is told to end before it sends the signal. So a signal that somebody sends to the whole
 * group or cgroup (a service manager, a terminal) ends no job, and the supervisor's needs no value:
 * a value would need a place in the kernel's queue, which any program of the same user can use up.
 * A job's sequence is used once, so a signal that comes late cannot hit the next job. One that
 * comes early (before the worker has read RUN) is not lost, for the page keeps what was written.
 *
 * The handlers run on the alternate stack: a job may run on a small stack of a coroutine's.
 *
 * Other signals that a manager may send to all processes of a service have a handler that ignores
 * them when they come from outside: outside.c.
 *
 * SIGSYS has a handler where jobs are watched for system calls (src/os/syscalls.h); it hands on
 * what is not from there. All other dispositions are default, except those of options.keep_signals,
 * which stay as inherited. TERM is always ours; INT, HUP and QUIT stay too when the list names
 * them. SIGPIPE is default: a job that writes to a broken pipe with its own write() dies of it,
 * unless the program keeps an inherited SIG_IGN. The library's own writes never raise it.
 *
 * A job's children get default dispositions: exec does it, after fork() an atfork handler, and
 * where neither ran (a raw clone) the handler sees that it is not in the worker and steps aside.
 */
#include "memory.h"
#include "outside.h"
#include "state.h"

#include "../base/base.h"
#include "../os/signals.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static const int soft_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

static _Atomic uint64_t running_sequence = SEQUENCE_NONE;

void worker_soft_expect(uint64_t sequence)
{
	atomic_store_explicit(&running_sequence, sequence, memory_order_release);
}

/* Outside of workers (inline mode) there is no page, and nobody tells a job to end. */
bool worker_soft_came(uint64_t sequence)
{
	return the_worker.desk && atomic_load(&the_worker.desk->soft) == sequence;
}

uint32_t worker_soft_told(uint64_t sequence)
{
	struct desk *desk = the_worker.desk;

	if (!worker_soft_came(sequence))
		return 0;
	return atomic_load_explicit(&desk->soft_cause, memory_order_relaxed) |
		(atomic_load_explicit(&desk->noticed, memory_order_relaxed) == sequence
				? BROOD_NOTICED
				: 0);
}

/*
 * The supervisor stores the sequence before it signals. A job stores its cancel fd before it looks
 * at the sequence. So one of the two, this handler or the job, sees what the other stored.
 */
static void soft_step(void)
{
	uint64_t one = 1;
	int fd;

	if (!worker_soft_came(atomic_load(&running_sequence)))
		return;
	fd = atomic_load(&the_worker.job.cancel_fd);
	if (fd >= 0 && write(fd, &one, sizeof one) < 0)
		return; /* its counter is full: readable all the same */
}

void worker_step_aside(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(sig, &action, NULL);
	/*
	 * blocked until the handler returns. Not raise(): a raw clone has its parent's thread id in
	 * the C library's memory
	 */
	kill(getpid(), sig);
}

static void on_soft(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)info, (void)context;
	syscalls_note(); /* we make some, and returning is one */
	if (!worker_is_self())
		worker_step_aside(sig);
	else
		soft_step();
	errno = saved;
}

static void in_child(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, now;

	the_worker.forked = true;
	syscalls_forget();
	for (size_t i = 0; i < ARRAY_SIZE(soft_signals); i++)
		if (sigaction(soft_signals[i], NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
			now.sa_sigaction == on_soft)
			sigaction(soft_signals[i], &action, NULL);
	outside_forget();
	memory_forget();
}

static int handle(int sig)
{
	struct sigaction action = { .sa_sigaction = on_soft,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	return sigaction(sig, &action, NULL) < 0 ? -errno : 0;
}

static bool kept(const struct brood_options *options, int sig)
{
	for (size_t i = 0; i < options->keep_signals_count; i++)
		if (options->keep_signals[i] == sig)
			return true;
	return false;
}

int worker_signals_prepare(const struct brood_options *options)
{
	sigset_t none;
	int r;

	signals_default_all(options->keep_signals, options->keep_signals_count);
	for (size_t i = 0; i < ARRAY_SIZE(soft_signals); i++) {
		if (soft_signals[i] != SIGTERM && kept(options, soft_signals[i]))
			continue;
		r = handle(soft_signals[i]);
		if (r < 0)
			return r;
	}
	outside_prepare(options);
	memory_watch_deaths(options);
	r = pthread_atfork(NULL, NULL, in_child);
	if (r != 0)
		return -r;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* Not where somebody else wants SIGSYS, or a debugger would stop at each trap. */
static void watch_calls(const struct brood_options *options)
{
	if (!(options->flags & BROOD_DEBUGGING) && !kept(options, SIGSYS))
		syscalls_watch();
}

void worker_signals_ready(void)
{
	sigset_t term;

	handle(SIGTERM);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	watch_calls(the_worker.config->options);
}
