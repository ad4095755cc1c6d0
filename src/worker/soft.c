/* SPDX-License-Identifier: MIT */
/*
 * soft.c - the soft step: TERM, INT, HUP and QUIT tell a job to end.
 *
 * Their handler looks at the slot's page, where the supervisor writes which job is told to end
 * before it sends the signal. So a signal that a service manager or a terminal sends to the whole
 * group or cgroup ends no job. And the supervisor's signal carries no value, which would need a
 * place in the kernel's queue: any program of the same user can fill that queue. A job's sequence
 * is used once, so a signal that comes late cannot hit the next job. A signal that comes before the
 * worker has read RUN is not lost, for the page keeps what was written.
 *
 * The handler runs on the alternate stack: a job may run on a small stack of a coroutine. A child
 * that a job made by a raw clone still has the handler, which then sees that it is not in the
 * worker and lets the default action happen.
 */
#include "soft.h"

#include "fault.h"
#include "library_call.h"
#include "trace.h"
#include "worker.h"

#include <sys/eventfd.h>

_Atomic uint64_t soft_sequence = SEQUENCE_NONE;

/*
 * True: the job was told to end. Without a page (inline mode) nobody tells a job to end. Also
 * called in children of a job.
 */
static bool came(uint64_t sequence)
{
	const struct slot_page *page = the_worker.shown_page;

	return page && atomic_load(&page->soft) == sequence;
}

uint32_t soft_told(void)
{
	struct slot_page *page = the_worker.page;
	bool noticed = atomic_load_explicit(&page->noticed, memory_order_relaxed) ==
		atomic_load(&soft_sequence);

	return atomic_load_explicit(&page->soft_cause, memory_order_relaxed) |
		(noticed ? BROOD_NOTICED : 0);
}

/*
 * The supervisor stores the sequence before it signals. A job stores its cancel fd before it looks
 * at the sequence. So one of the two, this handler or the job, sees what the other stored.
 */
static void soft_step(void *context, int error)
{
	uint64_t one = 1;
	int fd = atomic_load(&the_job.cancel_fd);
	ssize_t n = fd >= 0 ? write(fd, &one, sizeof one) : 0;

	(void)n; /* the counter may be full: the fd is readable then, too */
	trace_told(context, &fault_action, error);
}

static void on_soft(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)info;
	syscalls_note(); /* the handler makes system calls, and its return is one */
	if (!worker_is_self())
		signals_step_aside(sig);
	else if (came(atomic_load(&soft_sequence)))
		soft_step(context, saved);
	errno = saved;
}

const struct sigaction soft_action = { .sa_sigaction = on_soft,
	.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

/* ---- a look at a job that runs ---- */

/* True: kill() of another process. An urgent byte on a socket of the job is no question. */
static bool sent_by_another(const siginfo_t *info)
{
	return info->si_code == SI_USER && info->si_pid != the_worker.pid;
}

/*
 * The handler of SIGURG, by which the supervisor asks about a slow job, and brood-ctl about any.
 * This signal was chosen because it does nothing where nobody handles it, as in a program that the
 * job became. A job's own handler stays, and then nobody learns of frames.
 */
static void on_urgent(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)sig;
	syscalls_note();
	if (worker_is_self() && trace_wanted()) {
		trace_slow(context, &fault_action, saved);
		trace_answered();
	} else if (worker_is_self() && sent_by_another(info)) {
		trace_asked(context, &fault_action, saved);
	}
	errno = saved;
}

const struct sigaction soft_urgent_action = { .sa_sigaction = on_urgent,
	.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

/* ---- what the job sees of the soft step ---- */

/*
 * Was this job told to end? From a yes on, the verdict says that the job has noticed. A child that
 * the job forked may ask, too, but cannot write that down.
 */
static bool told(const struct brood_job *job)
{
	if (!came(job->sequence))
		return false;
	if (atomic_load_explicit(&the_worker.shown_page->noticed, memory_order_relaxed) !=
		job->sequence) {
		SYSCALLS_OURS;

		if (worker_is_self())
			atomic_store_explicit(
				&the_worker.page->noticed, job->sequence, memory_order_relaxed);
	}
	return true;
}

int brood_job_cancelled(const struct brood_job *job) BROOD_NOEXCEPT { return told(job); }

/*
 * The fd is stored for the handler before the flag is looked at. So a soft step in between makes
 * the fd readable in one of the two ways.
 */
int brood_job_cancel_fd(struct brood_job *job) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	int fd = atomic_load(&job->cancel_fd);
	uint64_t one = 1;

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	atomic_store(&job->cancel_fd, fd);
	if (came(job->sequence) && write(fd, &one, sizeof one) < 0)
		return fd; /* the counter is full, so the fd is readable anyway */
	return fd;
}

void soft_close_fd(struct brood_job *job)
{
	int fd = atomic_exchange(&job->cancel_fd, -1);

	if (fd >= 0)
		close(fd);
}

uint32_t brood_job_time_left_ms(const struct brood_job *job) BROOD_NOEXCEPT
{
	SYSCALLS_OURS;
	uint64_t now, ms;

	if (told(job))
		return 0;
	if (job->soft_ns == TIME_NEVER)
		return BROOD_FOREVER;
	now = now_ns();
	if (now >= job->soft_ns)
		return 0;
	ms = (job->soft_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms < BROOD_FOREVER ? (uint32_t)ms : BROOD_FOREVER - 1;
}
