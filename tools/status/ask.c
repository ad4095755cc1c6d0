/* SPDX-License-Identifier: MIT */
/*
 * ask.c - see ask.h. The worker has a handler of SIGURG (src/worker/soft.c), which looks at the
 * stack and writes what it found on the status page. This signal harms nobody who does not expect
 * it. So it does no harm if a job has taken the handler away, or has become another program.
 *
 * A worker that cannot answer is told of as it is, and then no signal is left behind: one that is
 * stopped, waits in state D, or blocks the signal is not signalled. What it waits on is read before
 * the signal, which may end the wait.
 */
#define _GNU_SOURCE
#include "ask.h"

#include "report.h"
#include "words.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS         UINT64_C(1000000)
#define SEND_AGAIN (200 * MS) /* a signal that comes together with the supervisor's own is lost */
#define LOOKS_MAX  5          /* so often a job has ended before it was looked at */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static enum ask_answer no(struct ask *ask, enum ask_answer answer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static enum ask_answer no(struct ask *ask, enum ask_answer answer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ask->why, sizeof ask->why, format, args);
	va_end(args);
	return answer;
}

static enum ask_answer nothing(struct ask *ask, const char *what)
{
	return no(ask, ASK_NOTHING, "worker %u (pid %d) %s", ask->worker.slot, (int)ask->worker.pid,
		what);
}

/* ---- what the process is like ---- */

/* Why a signal would not be answered; NULL: nothing speaks against it. */
static const char *unfit(const struct process *process, pid_t pid)
{
	if (process_gone(process))
		return "has ended";
	if (process_stopped(process))
		return "is stopped (SIGSTOP or a debugger): SIGCONT lets it go on";
	if (process->state == 'D')
		return "waits in the kernel, and no signal reaches it (state D)";
	if (!process_signal_in(pid, PROCESS_CAUGHT, SIGURG))
		return "has no handler of SIGURG: its job has another disposition of this signal, "
		       "or has become another program";
	if (process_signal_in(pid, PROCESS_BLOCKED, SIGURG))
		return "blocks SIGURG";
	return NULL;
}

static const char *silent(const struct process *process, pid_t pid)
{
	const char *why = unfit(process, pid);

	if (why)
		return why;
	if (process->state == 'R')
		return "has not answered in time: it has had no CPU, or its job has a handler of "
		       "SIGURG of its own";
	return "has not answered in time: its job has a handler of SIGURG of its own";
}

/* ---- one question ---- */

/* -ENOSYS: an emulator that has no such call. */
static int signal_to(int pidfd, pid_t pid)
{
	int r = pidfd >= 0 ? (int)syscall(SYS_pidfd_send_signal, pidfd, SIGURG, NULL, 0) : -1;

	if (pidfd < 0 || (r < 0 && errno == ENOSYS))
		r = kill(pid, SIGURG);
	return r < 0 ? -errno : 0;
}

/* Waits a millisecond, or until the process has ended. */
static void nap(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	poll(&p, pidfd >= 0, 1);
}

static enum ask_answer send_and_wait(
	const struct look *look, int pidfd, double timeout_s, struct ask *ask)
{
	const struct status_view *view = &look->page->view;
	const uint32_t slot = ask->worker.slot;
	const uint32_t before = status_view_stack_sequence(view, slot);
	const uint64_t began = now_ns(), until = began + (uint64_t)(timeout_s * 1e9);
	uint64_t now = began, again = began;
	struct process process;

	while (now <= until) {
		uint32_t sequence;

		if (now >= again) {
			int r = signal_to(pidfd, ask->worker.pid);

			if (r < 0 && r != -ESRCH)
				return no(ask, ASK_DENIED,
					"worker %u (pid %d) may not be signalled by this user: "
					"ask as its user, or as root",
					slot, (int)ask->worker.pid);
			again = now + SEND_AGAIN;
		}
		sequence = status_view_stack_sequence(view, slot);
		if (sequence != before && sequence % 2 == 0)
			return ASK_FINE;
		look_process(look, &ask->worker, &process);
		if (process_gone(&process))
			break;
		nap(pidfd);
		now = now_ns();
	}
	look_process(look, &ask->worker, &process);
	return nothing(ask, silent(&process, ask->worker.pid));
}

static enum ask_answer take_answer(const struct look *look, struct ask *ask)
{
	static struct brood_status_stack stack;

	if (!status_view_stack(&look->page->view, ask->worker.slot, &stack) ||
		stack.pid != ask->worker.pid)
		return nothing(ask, "has another answer already: ask again");
	if (stack.missing == BROOD_STATUS_HANDLER)
		return nothing(ask,
			"does not look at its stack, since its job has a handler of SIGSEGV or "
			"SIGBUS of its own");
	ask->took_ns = stack.took_ns;
	report_of_stack(look->page, &stack, &ask->report);
	return ASK_FINE;
}

/* ---- the worker ---- */

static const char *why_idle(const struct status_worker *w)
{
	switch (w->state) {
	case BROOD_STATUS_IDLE: return "is idle: it runs no job";
	case BROOD_STATUS_LEASED: return w->runs ? NULL : "is on lease, between two jobs";
	default: return NULL; /* a hook may run, or the job's end is being seen to */
	}
}

static bool same_job(const struct status_worker *a, const struct status_worker *b)
{
	return a->pid == b->pid && a->runs == b->runs &&
		(!a->runs || (a->job == b->job && a->job_since_ns == b->job_since_ns));
}

/* Asks a worker that does something. *ret_over: it did something else afterwards. */
static enum ask_answer ask_once(
	const struct look *look, double timeout_s, struct ask *ask, bool *ret_over)
{
	const struct status_worker before = ask->worker;
	const char *why = why_idle(&before);
	int pidfd = (int)syscall(SYS_pidfd_open, before.pid, 0);
	enum ask_answer answer;
	struct process process;

	*ret_over = false;
	/* after the pidfd, so it is about the same process */
	look_process(look, &before, &process);
	process_wait(before.pid, &process, ask->waits);
	if (!process_gone(&process) && process.state != 'D' && !process_stopped(&process) && why)
		answer = nothing(ask, why);
	else if ((why = unfit(&process, before.pid)))
		answer = nothing(ask, why);
	else
		answer = send_and_wait(look, pidfd, timeout_s, ask);
	if (pidfd >= 0)
		close(pidfd);
	if (answer != ASK_FINE)
		return answer;
	status_view_worker(&look->page->view, before.slot, &ask->worker);
	*ret_over = !same_job(&before, &ask->worker);
	return *ret_over ? ASK_NOTHING : take_answer(look, ask);
}

enum ask_answer ask_worker(
	const struct look *look, uint32_t slot, double timeout_s, struct ask *ret)
{
	bool over = true;

	memset(ret, 0, sizeof *ret);
	if (slot >= status_view_slots(&look->page->view))
		return no(ret, ASK_NONE, "this brood has no slot %u: its slots are 0 to %u", slot,
			status_view_slots(&look->page->view) - 1);
	for (int i = 0; i < LOOKS_MAX && over; i++) {
		enum ask_answer answer;

		status_view_worker(&look->page->view, slot, &ret->worker);
		if (ret->worker.pid <= 0)
			return no(ret, ASK_NONE, "slot %u has no worker now", slot);
		if (!look->own_pids)
			return nothing(ret,
				"is in another PID namespace, and no signal can be sent there: "
				"ask inside of that namespace");
		answer = ask_once(look, timeout_s, ret, &over);
		if (!over)
			return answer;
	}
	return nothing(ret, "runs jobs that are over before they can be looked at");
}
