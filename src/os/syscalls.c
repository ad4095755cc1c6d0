/* SPDX-License-Identifier: MIT */
/* syscalls.c - see syscalls.h. */
#define _GNU_SOURCE
#include "syscalls.h"
#include "../base/base.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON           1
#endif
/* SYS_USER_DISPATCH of <asm-generic/siginfo.h>: the si_code of a trap. */
#define TRAPPED 2

AT_BIRTH _Atomic unsigned char syscalls_selector = SYSCALLS_ALLOW;
AT_BIRTH volatile sig_atomic_t syscalls_watched;
AT_BIRTH volatile sig_atomic_t syscalls_made;

void (*volatile syscalls_before_first)(void);
void (*volatile syscalls_on_other)(int sig, siginfo_t *info, void *context);

void syscalls_note(void)
{
	bool first = !syscalls_made;

	syscalls_made = 1;
	atomic_store_explicit(&syscalls_selector, SYSCALLS_ALLOW, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (first && syscalls_before_first)
		syscalls_before_first();
}

#if defined(__x86_64__) && !defined(__ILP32__)

/*
 * For a SIGSYS that is no trap of a watched call: the signal takes its default action, but only
 * when the handler returns, since SIGSYS is blocked until then.
 */
static void hand_on(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	syscalls_note();
	sigaction(SIGSYS, &action, NULL);
	kill(getpid(), SIGSYS);
}

/*
 * Goes back to the instruction of the system call, which is two bytes long; the kernel has left its
 * arguments as they were. So the call is now made.
 */
static void on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	if (info->si_code != TRAPPED) {
		if (syscalls_on_other)
			syscalls_on_other(sig, info, context);
		else
			hand_on();
		return;
	}
	syscalls_note();
	c->uc_mcontext.gregs[REG_RAX] = info->si_syscall;
	c->uc_mcontext.gregs[REG_RIP] -= 2;
}

/*
 * valgrind lets the request to watch through, and then valgrind's own calls are trapped. A program
 * can ask for valgrind with instructions that otherwise change nothing.
 */
static bool under_valgrind(void)
{
	volatile unsigned long request[6] = { 0x1001 };
	volatile unsigned long *at = request;
	unsigned long answer = 0;

	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, "
			 "%%rdi\n\txchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(at)
			 : "cc", "memory");
	return answer != 0;
}

/*
 * Asks the kernel, not the C library. ThreadSanitizer, or a library that wraps handlers, may have
 * installed a handler and mask of its own, and would tell only of those that it was given.
 */
static bool handler_blocks(int sig)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} now;

	if (syscall(SYS_rt_sigaction, sig, NULL, &now, sizeof now.mask) < 0 ||
		now.handler == SIG_DFL || now.handler == SIG_IGN)
		return false;
	return now.mask >> (SIGSYS - 1) & 1;
}

static bool has_room(void)
{
	struct sigaction now;
	sigset_t mask;

	if (sigaction(SIGSYS, NULL, &now) < 0 ||
		(now.sa_handler != SIG_DFL && now.sa_sigaction != on_trap))
		return false;
	if (sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || sigismember(&mask, SIGSYS))
		return false;
	for (int sig = 1; sig < NSIG; sig++)
		if (handler_blocks(sig))
			return false;
	return true;
}

/* No range of code is left out: the handler's return is allowed by the selector. */
static int dispatch(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, (long)PR_SYS_DISPATCH_ON, 0L, 0L,
		       (void *)(uintptr_t)&syscalls_selector) < 0
		? -errno
		: 0;
}

/*
 * The handler runs on the alternate stack, where the program has one: watched code may run on a
 * small stack.
 */
int syscalls_prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (under_valgrind())
		return -ENOSYS;
	if (!has_room())
		return -EBUSY;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}

int syscalls_watch_prepared(void)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	int r = dispatch();

	if (r < 0)
		sigaction(SIGSYS, &action, NULL);
	else
		syscalls_watched = 1;
	return r;
}

int syscalls_watch(void)
{
	int r = syscalls_prepare();

	return r < 0 ? r : syscalls_watch_prepared();
}

bool syscalls_watch_again(void)
{
	if (syscalls_watched && dispatch() < 0)
		syscalls_watched = 0;
	return syscalls_watched;
}

void syscalls_forget(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, now;

	if (syscalls_watched && sigaction(SIGSYS, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
		now.sa_sigaction == on_trap)
		sigaction(SIGSYS, &action, NULL);
	syscalls_watched = 0;
}

#else

int syscalls_watch(void) { return -ENOSYS; }
int syscalls_prepare(void) { return -ENOSYS; }
int syscalls_watch_prepared(void) { return -ENOSYS; }
bool syscalls_watch_again(void) { return false; }
void syscalls_forget(void) {}

#endif
