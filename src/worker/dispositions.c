/* SPDX-License-Identifier: MIT */
/*
 * dispositions.c - see dispositions.h.
 *
 * TERM, INT, HUP and QUIT tell a job to end: soft.c. Other signals that a manager may send to all
 * processes of a service have a handler that ignores them when they come from outside: outside.c.
 * Those by which a process dies that got no memory have one where there is a limit: memory.c.
 *
 * SIGSYS has a handler where jobs are watched for system calls (src/os/syscalls.h); it hands on
 * what is not from there. All other dispositions are default, except those of options.keep_signals,
 * which stay as inherited. TERM is always ours; INT, HUP and QUIT stay too when the list names
 * them. SIGPIPE is default: a job that writes to a broken pipe with its own write() dies of it,
 * unless the program keeps an inherited SIG_IGN. The library's own writes never raise it.
 *
 * A job's children get default dispositions: exec does it, and after fork() an atfork handler.
 */
#include "dispositions.h"

#include "../os/signals.h"
#include "../os/syscalls.h"
#include "memory.h"
#include "outside.h"
#include "soft.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>

static void in_child(void)
{
	the_worker.forked = true;
	syscalls_forget();
	soft_forget();
	outside_forget();
	memory_forget();
}

int dispositions_prepare(const struct brood_options *options)
{
	sigset_t none;
	int r;

	signals_default_all(options->keep_signals, options->keep_signals_count);
	r = soft_prepare(options);
	if (r < 0)
		return r;
	outside_prepare(options);
	memory_watch_deaths(options);
	r = pthread_atfork(NULL, NULL, in_child);
	if (r != 0)
		return -r;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* SIGSYS is not taken where somebody else wants it, or a debugger would stop at each trap. */
void dispositions_ready(const struct brood_options *options)
{
	soft_ready();
	if (!(options->flags & BROOD_DEBUGGING) && !worker_keeps_signal(options, SIGSYS))
		syscalls_watch();
}
