/* SPDX-License-Identifier: MIT */
/* syscalls.c - see syscalls.h. */
#define _GNU_SOURCE
#include "syscalls.h"
#include "../base/base.h"

#include <linux/audit.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF          0
#define PR_SYS_DISPATCH_ON           1
#endif
/* SYS_USER_DISPATCH of <asm-generic/siginfo.h>: the si_code of a trap. */
#define TRAPPED 2

AT_BIRTH _Atomic unsigned char syscalls_selector = SYSCALLS_ALLOW;
AT_BIRTH volatile sig_atomic_t syscalls_watched;
AT_BIRTH volatile sig_atomic_t syscalls_made;
AT_BIRTH volatile long syscalls_result = SYSCALLS_UNKNOWN;

bool (*volatile syscalls_let)(long number, const long arguments[6], long last);
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

AT_BIRTH static bool dispatches; /* the kernel looks at the selector */

/*
 * The two system calls that the kernel lets through while the selector says BLOCK. It compares the
 * address behind the call: both stand in the range from the first label to the second.
 *
 * The stub comes with the address of the interrupted code on its stack, 136 bytes below that code's
 * stack pointer. A system call leaves this address in rcx anyway, so rcx may hold it.
 *
 * Unwinders and gdb know the handler's return by its bytes, if no table covers it nor the byte
 * before, and gdb by its name, too.
 */
#define OURS __attribute__((visibility("hidden")))
extern const char brood_sigaction_restorer[] OURS, brood_call_returned[] OURS;
extern const char brood_call_made[] OURS, brood_call_stub[] OURS, brood_call_stub_end[] OURS;
__asm__(".pushsection .text\n"
	".balign 16\n"
	"nop\n"
	".hidden brood_sigaction_restorer\n"
	".globl brood_sigaction_restorer\n"
	".type brood_sigaction_restorer, %function\n"
	"brood_sigaction_restorer:\n"
	"movq $15, %rax\n" /* SYS_rt_sigreturn */
	"syscall\n"
	".hidden brood_call_returned\n"
	".globl brood_call_returned\n"
	"brood_call_returned:\n"
	"ud2\n"
	".size brood_sigaction_restorer, . - brood_sigaction_restorer\n"
	".hidden brood_call_stub\n"
	".globl brood_call_stub\n"
	".type brood_call_stub, %function\n"
	"brood_call_stub:\n"
	".cfi_startproc\n"
	".cfi_def_cfa %rsp, 136\n"
	".cfi_offset %rip, -136\n"
	"syscall\n"
	".hidden brood_call_made\n"
	".globl brood_call_made\n"
	"brood_call_made:\n"
	"movq %rax, syscalls_result(%rip)\n"
	"popq %rcx\n"
	".cfi_def_cfa_offset 128\n"
	".cfi_register %rip, %rcx\n"
	"leaq 128(%rsp), %rsp\n"
	".cfi_def_cfa_offset 0\n"
	"jmp *%rcx\n"
	".hidden brood_call_stub_end\n"
	".globl brood_call_stub_end\n"
	"brood_call_stub_end:\n"
	".cfi_endproc\n"
	".size brood_call_stub, . - brood_call_stub\n"
	".popsection\n");
#define STUB_STACK 136

bool syscalls_is_stub(uintptr_t instruction)
{
	return instruction >= (uintptr_t)brood_call_stub &&
		instruction < (uintptr_t)brood_call_stub_end;
}

/* ---- the handler ---- */

/*
 * For a SIGSYS that is no trap of a watched call: the signal takes its default action, but only
 * when the handler returns, since SIGSYS is blocked until then.
 */
static void hand_on(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t one;

	syscalls_note();
	sigaction(SIGSYS, &action, NULL);
	sigemptyset(&one);
	sigaddset(&one, SIGSYS);
	sigprocmask(SIG_BLOCK, &one, NULL);
	kill(getpid(), SIGSYS);
}

/* True: the interrupted code runs on the alternate stack, where this handler runs, too. */
static bool shares_stack(const ucontext_t *c)
{
	uintptr_t at = (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
	uintptr_t low = (uintptr_t)c->uc_stack.ss_sp;

	return c->uc_stack.ss_flags & SS_DISABLE || (at > low && at - low <= c->uc_stack.ss_size);
}

/* Below the context the kernel's frame has the address to which the handler returns. */
static bool returns_by_itself(const ucontext_t *c)
{
	return ((const char *const *)c)[-1] == brood_sigaction_restorer;
}

static bool may_let(const siginfo_t *info, const ucontext_t *c)
{
	const greg_t *r = c->uc_mcontext.gregs;
	const long arguments[6] = { r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8],
		r[REG_R9] };

	return syscalls_let && !syscalls_made && info->si_arch == AUDIT_ARCH_X86_64 &&
		returns_by_itself(c) && !shares_stack(c) &&
		syscalls_let(info->si_syscall, arguments, syscalls_result);
}

/*
 * The kernel has left the arguments as they were. The store is no C, for a sanitizer would know
 * nothing of this part of the stack.
 */
static void go_by_stub(ucontext_t *c)
{
	greg_t *r = c->uc_mcontext.gregs;

	syscalls_result = SYSCALLS_UNKNOWN;
	r[REG_RSP] -= STUB_STACK;
	__asm__ volatile("movq %0, (%1)" : : "r"(r[REG_RIP]), "r"(r[REG_RSP]) : "memory");
	r[REG_RIP] = (greg_t)(uintptr_t)brood_call_stub;
}

/* If the call is not let through, goes back to its instruction, which is two bytes long. */
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
	c->uc_mcontext.gregs[REG_RAX] = info->si_syscall;
	if (may_let(info, c)) {
		go_by_stub(c);
		return;
	}
	syscalls_note();
	c->uc_mcontext.gregs[REG_RIP] -= 2;
}

/* ---- to begin and to end ---- */

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
 * What the kernel has for a signal. The kernel is asked, and told, and not the C library.
 * ThreadSanitizer, or a library that wraps handlers, may have installed a handler and mask of its
 * own, and would tell only of those that it was given; and the C library would replace the
 * restorer.
 */
struct disposition {
	void (*handler)(int sig, siginfo_t *info, void *context);
	unsigned long flags;
	const char *restorer;
	uint64_t mask;
};

static int dispose(int sig, const struct disposition *to, struct disposition *ret_old)
{
	return syscall(SYS_rt_sigaction, sig, to, ret_old, sizeof ret_old->mask) < 0 ? -errno : 0;
}

/*
 * SA_NODEFER: a handler of the program may interrupt this one, and make a system call. SA_ONSTACK:
 * watched code may run on a small stack.
 */
#define FLAGS (SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SYSCALLS_RESTORER)

static int install(void)
{
	const struct disposition trap = {
		.handler = on_trap, .flags = FLAGS, .restorer = brood_sigaction_restorer
	};

	return dispose(SIGSYS, &trap, NULL);
}

static void uninstall(void)
{
	const struct disposition none = { 0 };

	dispose(SIGSYS, &none, NULL);
}

void syscalls_mend(const struct sigaction *now)
{
	if (now->sa_sigaction == on_trap &&
		(uintptr_t)now->sa_restorer != (uintptr_t)brood_sigaction_restorer)
		install();
}

static bool is_default(const struct disposition *d)
{
	return !d->handler || (uintptr_t)d->handler == (uintptr_t)SIG_IGN;
}

static bool handler_blocks(int sig)
{
	struct disposition now;

	return dispose(sig, NULL, &now) == 0 && !is_default(&now) && now.mask >> (SIGSYS - 1) & 1;
}

static bool has_room(void)
{
	struct disposition now;
	sigset_t mask;

	if (dispose(SIGSYS, NULL, &now) < 0 || (now.handler && now.handler != on_trap))
		return false;
	if (sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || sigismember(&mask, SIGSYS))
		return false;
	for (int sig = 1; sig < NSIG; sig++)
		if (handler_blocks(sig))
			return false;
	return true;
}

static int dispatch(void)
{
	const long from = (long)(uintptr_t)brood_call_returned;
	const long size = brood_call_made - brood_call_returned + 1;

	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, (long)PR_SYS_DISPATCH_ON, from, size,
		    (void *)(uintptr_t)&syscalls_selector) < 0)
		return -errno;
	dispatches = true;
	return 0;
}

int syscalls_prepare(void)
{
	if (under_valgrind())
		return -ENOSYS;
	return has_room() ? install() : -EBUSY;
}

int syscalls_watch_prepared(void)
{
	int r = dispatch();

	if (r < 0)
		uninstall();
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
	if (syscalls_watched && !dispatches && dispatch() < 0)
		syscalls_watched = 0;
	return syscalls_watched;
}

void syscalls_pause(void)
{
	if (syscalls_watched)
		prctl(PR_SET_SYSCALL_USER_DISPATCH, (long)PR_SYS_DISPATCH_OFF, 0L, 0L, 0L);
	dispatches = false;
}

void syscalls_rest(void)
{
	if (dispatches)
		syscalls_pause();
}

void syscalls_forget(void)
{
	struct disposition now;

	if (syscalls_watched && dispose(SIGSYS, NULL, &now) == 0 && now.handler == on_trap)
		uninstall();
	syscalls_watched = 0;
}

#else

int syscalls_watch(void) { return -ENOSYS; }
int syscalls_prepare(void) { return -ENOSYS; }
int syscalls_watch_prepared(void) { return -ENOSYS; }
bool syscalls_watch_again(void) { return false; }
void syscalls_pause(void) {}
void syscalls_rest(void) {}
void syscalls_forget(void) {}
void syscalls_mend(const struct sigaction *now) { (void)now; }
bool syscalls_is_stub(uintptr_t instruction)
{
	(void)instruction;
	return false;
}

#endif
