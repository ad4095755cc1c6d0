/* SPDX-License-Identifier: MIT */
/*
 * stepper_trace.c - ptrace, as far as the stepper needs it. x86-64.
 *
 * Traps:
 *   - A traced process that dies is its tracer's zombie first, and its parent hears of it only
 *     afterwards. So a kill is a detach with SIGKILL, wherever the kernel takes it: the supervisor
 *     then sees what it would see of any kill. It takes none at a handler's first instruction (that
 *     stop is no signal's): there the kill comes first.
 *   - A single step over a system call is one stop, at its return. Over `rep movsb` it is one for
 *     each round: they count as one instruction. So does reading the clock: that is the kernel's
 *     code, in the vdso, and how often it begins anew depends on when it is interrupted, which is
 *     always.
 *   - A system call that user dispatch turns into SIGSYS makes no system call stop at all, but one
 *     for the signal.
 *   - PTRACE_INTERRUPT makes a sleeping system call return and begin again: that is seen as its
 *     entry.
 *   - Workers have exit signal 0: __WALL.
 */
#define _GNU_SOURCE
#include "stepper.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define CALL_BYTES  0x050fu /* `syscall` */

static uint64_t patience_end;

/* ---- waiting ---- */

static void on_tick(int sig) { (void)sig; }

/* A tick a second: none is lost for good, as one alarm at a bad moment would be. */
void trace_patience(void)
{
	static bool ticking;
	struct sigaction action = { .sa_handler = on_tick };
	const struct itimerval every = { { 1, 0 }, { 1, 0 } };

	patience_end = test_now_ms() + (uint64_t)test_scaled(PATIENCE_MS);
	if (ticking)
		return;
	ticking = sigaction(SIGALRM, &action, NULL) == 0 &&
		setitimer(ITIMER_REAL, &every, NULL) == 0;
}

static int wait_for(idtype_t type, pid_t pid, int flags, siginfo_t *ret)
{
	int r;

	while ((r = waitid(type, (id_t)pid, ret, flags | __WALL)) < 0 && errno == EINTR)
		CHECK_MSG(test_now_ms() < patience_end, "process %d (%c) makes no stop", (int)pid,
			proc_state(pid));
	return r < 0 ? -errno : 0;
}

pid_t trace_first(void)
{
	siginfo_t info = { 0 };

	CHECK_EQ(wait_for(P_ALL, 0, WSTOPPED | WNOWAIT, &info), 0);
	return info.si_pid;
}

enum trace_stop trace_wait(struct tracee *t)
{
	siginfo_t info = { 0 };
	bool delivered = t->signal != 0;
	int r = wait_for(P_PID, t->pid, WSTOPPED | WEXITED | (t->ours ? WNOWAIT : 0), &info);

	t->signal = 0;
	t->new_frame = false;
	if (r < 0 || info.si_code != CLD_TRAPPED)
		return TRACE_ENDED;
	if (t->ours)
		CHECK_EQ(wait_for(P_PID, t->pid, WSTOPPED, &info), 0);
	if (info.si_status == (SIGTRAP | 0x80))
		return TRACE_CALL;
	if (info.si_status == SIGTRAP) {
		t->new_frame = delivered;
		return TRACE_STEP;
	}
	if (info.si_status > 0xff)
		return TRACE_OTHER;
	t->signal = info.si_status;
	return TRACE_SIGNAL;
}

/* ESRCH: it was killed while it was stopped. The next wait sees that. */
static void request(struct tracee *t, int how, int sig)
{
	if (ptrace(how, t->pid, NULL, (void *)(uintptr_t)sig) < 0)
		CHECK_EQ(errno, ESRCH);
}

enum trace_stop trace_resume(struct tracee *t, int how)
{
	request(t, how, t->signal);
	return trace_wait(t);
}

/* ---- what it is at ---- */

unsigned long trace_at(const struct tracee *t)
{
	return (unsigned long)ptrace(
		PTRACE_PEEKUSER, t->pid, offsetof(struct user, regs.rip), NULL);
}

static struct user_regs_struct registers(const struct tracee *t)
{
	struct user_regs_struct regs = { 0 };

	ptrace(PTRACE_GETREGS, t->pid, NULL, &regs);
	return regs;
}

long trace_call(const struct tracee *t) { return (long)registers(t).orig_rax; }

/*
 * The vdso in each process, which reads the clock. All are children of this process, which has it
 * at the same address.
 */
bool trace_in_vdso(unsigned long address)
{
	static unsigned long begin, end;
	FILE *maps = end ? NULL : fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, "[vdso]"))
			sscanf(line, "%lx-%lx", &begin, &end);
	if (maps)
		fclose(maps);
	return address >= begin && address < end;
}

/* Workers of one case are images of one process, so addresses are the same in all of them. */
bool trace_at_call(const struct tracee *t, unsigned long address)
{
	static struct {
		unsigned long address;
		const struct report *of;
		bool call;
	} known[1 << 14];
	size_t i = (address ^ address >> 14) % (sizeof known / sizeof known[0]);

	if (known[i].address != address || known[i].of != report_current()) {
		errno = 0;
		known[i].call = (ptrace(PTRACE_PEEKTEXT, t->pid, address, NULL) & 0xffff) ==
				CALL_BYTES &&
			errno == 0;
		known[i].address = address;
		known[i].of = report_current();
	}
	return known[i].call;
}

/* A sleep with a time limit is no end yet: the worker does postponed work after it. */
static bool for_good(const struct user_regs_struct *regs, long call)
{
	return call != SYS_futex || regs->r10 == 0;
}

bool trace_at_sleep(const struct tracee *t, bool entered)
{
	struct user_regs_struct regs = registers(t);
	long call = (long)(entered ? regs.orig_rax : regs.rax);

	return call == t->blocking_call && regs.rdi == t->blocking_argument &&
		for_good(&regs, call);
}

/* ---- begin and end ---- */

void trace_begin(struct tracee *t, pid_t pid)
{
	*t = (struct tracee){ .pid = pid, .ours = proc_parent(pid) == getpid() };
	CHECK_MSG(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) == 0,
		"process %d (%c), errno %d", (int)pid, proc_state(pid), errno);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	CHECK_EQ(trace_wait(t), TRACE_OTHER);
}

static bool found_asleep(struct tracee *t, pid_t pid)
{
	struct user_regs_struct regs;

	if (proc_state(pid) != 'S')
		return false;
	trace_begin(t, pid);
	regs = registers(t);
	t->blocking_call = (long)regs.orig_rax;
	t->blocking_argument = regs.rdi;
	if (t->blocking_call >= 0 && for_good(&regs, t->blocking_call))
		return true;
	request(t, PTRACE_DETACH, 0);
	return false;
}

void trace_arm(struct tracee *t, pid_t pid)
{
	CHECK_MSG(WAIT_UNTIL(found_asleep(t, pid), 5000), "process %d (%c) does not sleep",
		(int)pid, proc_state(pid));
	CHECK_EQ(trace_resume(t, PTRACE_SYSCALL), TRACE_CALL);
	request(t, PTRACE_SYSCALL, 0);
}

void trace_disarm(struct tracee *t)
{
	if (ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) < 0 || trace_wait(t) == TRACE_ENDED)
		return;
	request(t, PTRACE_DETACH, t->signal);
}

void trace_kill(struct tracee *t)
{
	if (!t->new_frame) {
		request(t, PTRACE_DETACH, SIGKILL);
		return;
	}
	kill(t->pid, SIGKILL);
	while (trace_wait(t) != TRACE_ENDED)
		;
}

/* ---- is it allowed, and does it work? ---- */

static const char *try_child(pid_t pid)
{
	struct tracee t = { .pid = pid };
	siginfo_t info = { 0 };

	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0)
		return "ptrace is refused here";
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
		wait_for(P_PID, pid, WSTOPPED | WEXITED, &info) < 0 || info.si_code != CLD_TRAPPED)
		return "PTRACE_INTERRUPT does not stop a process here";
	for (int i = 0; i < 3; i++)
		if (trace_resume(&t, PTRACE_SINGLESTEP) != TRACE_STEP)
			return "PTRACE_SINGLESTEP makes no steps here";
	return NULL;
}

const char *trace_refused(void)
{
	pid_t pid = fork();
	const char *why;

	if (pid < 0)
		return "fork is refused here";
	if (pid == 0)
		for (volatile unsigned spin = 0;; spin++)
			;
	trace_patience();
	why = try_child(pid);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) >= 0 || errno == EINTR)
		;
	return why;
}
