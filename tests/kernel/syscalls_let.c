/* SPDX-License-Identifier: MIT */
/*
 * syscalls_let.c - system calls that are seen, and let through: the code that makes them notices
 * nothing, and the next call is seen, too.
 */
#include "syscalls.h"

#include <setjmp.h>
#include <sys/time.h>
#include <unwind.h>

TestSuite(kernel_syscalls, .timeout = 120);

static volatile sig_atomic_t handled;

/* ---- calls that are let through ---- */

static long seen[16], lasts[16];
static volatile int seen_count, let_count = 16;

static bool let(long number, const long arguments[6], long last)
{
	(void)arguments;
	if (seen_count >= let_count)
		return false;
	seen[seen_count] = number;
	lasts[seen_count++] = last;
	return number != SYS_rt_sigprocmask && number != SYS_rt_sigreturn;
}

/* A thread has its handlers on another stack only if it says so. */
static void alternate_stack(void)
{
	static char memory[65536];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof memory };

	CHECK_EQ(sigaltstack(&stack, NULL), 0);
}

static void watch_and_let(void)
{
	alternate_stack();
	CHECK_EQ(syscalls_watch(), 0);
	syscalls_let = let;
}

/* The code notices nothing: arguments, results, errno, and each call is seen. */
static void let_through(void)
{
	int fds[2];
	char text[4] = "";
	char *memory;

	watch_and_let();
	CHECK_EQ(pipe(fds), 0);
	watch_begin();
	CHECK_EQ(write(fds[1], "abc", 3), 3);
	CHECK_EQ(read(fds[0], text, 3), 3);
	errno = 0;
	CHECK_EQ(close(-1), -1);
	CHECK_EQ(errno, EBADF);
	memory = (char *)syscall(
		SYS_mmap, NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[8191] = 1;
	CHECK(!watch_end());
	CHECK(strcmp(text, "abc") == 0);
	CHECK_EQ(seen_count, 4);
	CHECK_EQ(seen[0], SYS_write);
	CHECK_EQ(seen[3], SYS_mmap);
	CHECK_EQ(lasts[0], SYSCALLS_UNKNOWN);
	CHECK_EQ(lasts[1], 3);
	CHECK_EQ(lasts[3], -EBADF);
	CHECK_EQ(syscalls_result, (long)(intptr_t)memory);
}
Test(kernel_syscalls, each_call_is_seen_and_made)
{
	NEEDS_DISPATCH();
	case_run(let_through, 20000);
}

/* The first one that is not let through ends the watch. */
static void let_some(void)
{
	let_count = 2;
	watch_and_let();
	watch_begin();
	for (int i = 0; i < 5; i++)
		CHECK_EQ(syscall(SYS_getppid), getppid());
	CHECK(watch_end());
	CHECK_EQ(seen_count, 2);
}
Test(kernel_syscalls, so_many_and_then_all)
{
	NEEDS_DISPATCH();
	case_run(let_some, 20000);
}

#if KNOWN
/*
 * Registers, flags, and the 128 bytes below the stack pointer are as after a system call: rcx and
 * r11 alone are the kernel's.
 */
static void registers(void)
{
	uint64_t bad = 1, result = 0;

	watch_and_let();
	watch_begin();
	__asm__ volatile("movq $0x1234, -8(%%rsp)\n\t"
			 "movq $0x5678, -128(%%rsp)\n\t"
			 "movl $110, %%eax\n\t" /* SYS_getppid */
			 "movq $1, %%rdi\n\tmovq $2, %%rsi\n\tmovq $3, %%rdx\n\t"
			 "movq $4, %%r10\n\tmovq $5, %%r8\n\tmovq $6, %%r9\n\t"
			 "movq %%rsp, %%r12\n\t"
			 "stc\n\t"
			 "syscall\n\t"
			 "1: jnc 2f\n\t"
			 "leaq 1b(%%rip), %%r13\n\tcmpq %%r13, %%rcx\n\tjne 2f\n\t"
			 "cmpq %%rsp, %%r12\n\tjne 2f\n\t"
			 "cmpq $0x1234, -8(%%rsp)\n\tjne 2f\n\t"
			 "cmpq $0x5678, -128(%%rsp)\n\tjne 2f\n\t"
			 "cmpq $1, %%rdi\n\tjne 2f\n\tcmpq $2, %%rsi\n\tjne 2f\n\t"
			 "cmpq $3, %%rdx\n\tjne 2f\n\tcmpq $4, %%r10\n\tjne 2f\n\t"
			 "cmpq $5, %%r8\n\tjne 2f\n\tcmpq $6, %%r9\n\tjne 2f\n\t"
			 "xorl %%ebx, %%ebx\n\t"
			 "2:"
			 : "+b"(bad), "=a"(result)
			 :
			 : "rcx", "r11", "rdi", "rsi", "rdx", "r10", "r8", "r9", "r12", "r13",
			 "memory", "cc");
	CHECK(!watch_end());
	CHECK_EQ(seen_count, 1);
	CHECK_EQ(bad, 0);
	CHECK_EQ(result, (uint64_t)getppid());
}
Test(kernel_syscalls, registers_are_kept)
{
	NEEDS_DISPATCH();
	case_run(registers, 20000);
}
#endif

static int pipe_fds[2];
static void writes_as_library(int sig)
{
	(void)sig;
	syscalls_note();
	handled++;
	CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
}

/* Again and again: an alarm that comes before the call has begun to wait is not the last. */
static void alarms_begin(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	struct itimerval often = { { .tv_usec = 20000 }, { .tv_usec = 100000 } };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
}
static void alarms_end(void)
{
	const struct itimerval never = { 0 };

	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
}

/* A handler interrupts a call that waits: the call goes on, or says EINTR, as the flags ask. */
static void interrupted(void)
{
	int before;
	char c = 0;

	watch_and_let();
	CHECK_EQ(pipe(pipe_fds), 0);
	alarms_begin(writes_as_library, SA_RESTART);
	watch_begin();
	CHECK_EQ(read(pipe_fds[0], &c, 1), 1);
	CHECK(watch_end());
	alarms_end();
	CHECK_EQ(c, 'x');
	CHECK_GE(before = handled, 1);
	alarms_begin(writes_as_library, 0);
	watch_begin();
	errno = 0;
	CHECK_EQ(poll(NULL, 0, 10000), -1);
	CHECK_EQ(errno, EINTR);
	CHECK(watch_end());
	alarms_end();
	CHECK_GE(handled, before + 1);
}
Test(kernel_syscalls, a_call_that_waits_is_interrupted)
{
	NEEDS_DISPATCH();
	case_run(interrupted, 20000);
}

static sigjmp_buf out;
/* Only out of the call that is watched. */
static void jumps(int sig)
{
	(void)sig;
	if (seen_count == 1) {
		unsigned char before = syscalls_allow();

		alarms_end();
		syscalls_back(&before);
		siglongjmp(out, 1);
	}
}

/* A handler of the program leaves a call that waits: the watch knows that it has not returned. */
static void jumped_out(void)
{
	watch_and_let();
	if (sigsetjmp(out, 0) == 0) {
		alarms_begin(jumps, SA_NODEFER);
		watch_begin();
		poll(NULL, 0, 10000);
		CHECK(!"the call has returned");
	}
	CHECK_EQ(seen_count, 1);
	CHECK_EQ(syscalls_result, SYSCALLS_UNKNOWN);
	CHECK_EQ(syscall(SYS_getppid), getppid()); /* still watched */
	CHECK(seen_count > 1);
	CHECK_EQ(lasts[1], SYSCALLS_UNKNOWN);
	CHECK(!watch_end());
}
Test(kernel_syscalls, a_jump_out_of_a_call)
{
	NEEDS_DISPATCH();
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer makes system calls in siglongjmp()");
#endif
	case_run(jumped_out, 20000);
}

/* A handler of the program makes calls of its own, and its return ends the watch. */
static void calls_too(int sig)
{
	(void)sig;
	handled += getppid() > 0;
}
static void program_handler(void)
{
	watch_and_let();
	for (int on_alternate = 0; on_alternate < 2; on_alternate++) {
		int before = handled;

		alarms_begin(calls_too, on_alternate ? SA_ONSTACK : 0);
		watch_begin();
		errno = 0;
		CHECK_EQ(poll(NULL, 0, 10000), -1);
		CHECK_EQ(errno, EINTR);
		CHECK_EQ(syscall(SYS_getppid), getppid());
		CHECK(watch_end());
		alarms_end();
		CHECK_GE(handled, before + 1);
	}
}
Test(kernel_syscalls, a_handler_of_the_program_makes_calls)
{
	NEEDS_DISPATCH();
	case_run(program_handler, 20000);
}

/* Without another stack for the handler nothing is let through. */
static void one_stack(void)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	CHECK_EQ(sigaltstack(&none, NULL), 0);
	CHECK_EQ(syscalls_watch(), 0);
	syscalls_let = let;
	watch_begin();
	CHECK_EQ(syscall(SYS_getppid), getppid());
	CHECK(watch_end());
	CHECK_EQ(seen_count, 0);
}
Test(kernel_syscalls, without_an_alternate_stack)
{
	NEEDS_DISPATCH();
	case_run(one_stack, 20000);
}

/* The code has put the disposition of SIGSYS back by the C library, with another way to return. */
static void set_again(void)
{
	struct sigaction action;

	watch_and_let();
	CHECK_EQ(sigaction(SIGSYS, NULL, &action), 0);
	CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
	watch_begin();
	CHECK_EQ(syscall(SYS_getppid), getppid());
	CHECK(watch_end());
	CHECK_EQ(seen_count, 0);
	CHECK_EQ(sigaction(SIGSYS, NULL, &action), 0);
	syscalls_mend(&action);
	watch_begin();
	CHECK_EQ(syscall(SYS_getppid), getppid());
	CHECK(!watch_end());
	CHECK_EQ(seen_count, 2);
}
Test(kernel_syscalls, a_disposition_that_was_set_again)
{
	NEEDS_DISPATCH();
	case_run(set_again, 20000);
}

static volatile int frames;
static volatile bool caller_found;
static void makes_the_call(void);
static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	(void)arg;
	caller_found |= _Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context)) ==
		(void *)(uintptr_t)makes_the_call;
	return ++frames > 50 ? _URC_END_OF_STACK : _URC_NO_REASON;
}
static void unwinds(int sig)
{
	(void)sig;
	syscalls_note();
	_Unwind_Backtrace(on_frame, NULL);
}
static __attribute__((noinline)) void makes_the_call(void)
{
	CHECK_EQ(syscall(SYS_poll, NULL, 0, 10000), -1);
	CHECK_EQ(errno, EINTR);
}

/* A walk of the stack finds its way through the stub to the code that made the call. */
static void walked(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
	struct sigaction action = { .sa_handler = unwinds, .sa_flags = SA_ONSTACK };

	watch_and_let();
	_Unwind_Backtrace(on_frame, NULL);
	frames = 0;
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	watch_begin();
	makes_the_call();
	CHECK(watch_end());
	CHECK(caller_found);
}
Test(kernel_syscalls, the_stack_can_be_walked)
{
	NEEDS_DISPATCH();
	case_run(walked, 20000);
}
