/* SPDX-License-Identifier: MIT */
/*
 * frame.c - what the frame of a job relies on: glibc's hooks for longjmp() and pthread_exit(), the
 * order of exit handlers, the end of unwinding on a stack of makecontext(). Each attempt is a
 * process, whose exit status says how it ended.
 */
#include "kernel.h"
#include "os/shm.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>

TestSuite(kernel_frame, .timeout = 120);

enum { RETURNED = 20, JUMPED, UNWOUND, CAUGHT_BELOW, EXIT_HOOK, EXIT_HANDLER };

extern void _pthread_cleanup_push(
	struct _pthread_cleanup_buffer *buffer, void (*routine)(void *), void *arg);
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

static int status_of(void (*body)(void))
{
	pid_t pid = fork();
	struct process_exit end;

	CHECK_GE(pid, 0);
	if (pid == 0) {
		body();
		_exit(RETURNED);
	}
	end = end_of(pid);
	return end.code == CLD_EXITED ? end.status : -end.status;
}

/* ---- exit handlers --------------------------------------------------------------------------- */

static void handler_of_main(void) { _exit(EXIT_HANDLER); }

static void __attribute__((destructor)) destructor_of_main(void) {}

static void hook(int status, void *context)
{
	CHECK_EQ(context, case_shared());
	_exit(status == 3 ? EXIT_HOOK : RETURNED);
}

static void exits(void)
{
	on_exit(hook, case_shared());
	exit(3);
}

static void atexit_after(void)
{
	on_exit(hook, case_shared());
	atexit(handler_of_main);
	exit(3);
}

/*
 * Registered last, so it runs first: an on_exit() in the worker runs before what the program
 * registered earlier, and after what a job registered.
 */
static void exit_order(void)
{
	atexit(handler_of_main);
	CHECK_EQ(status_of(exits), EXIT_HOOK);
	CHECK_EQ(status_of(atexit_after), EXIT_HANDLER);
}
Test(kernel_frame, on_exit_runs_before_inherited_handlers) { case_run(exit_order, 20000); }

/* ---- leaving by longjmp() and pthread_exit() ------------------------------------------------- */

static jmp_buf before;
static int caught;

static void jumped(void *context)
{
	(void)context;
	_exit(JUMPED);
}

struct guarded {
	void (*body)(void);
	bool returned;
};

static void unwound(struct guarded *g)
{
	if (!g->returned)
		_exit(UNWOUND);
}

static __attribute__((noinline)) void inner(void (*body)(void))
{
	struct guarded g __attribute__((cleanup(unwound))) = { .body = body };

	g.body();
	g.returned = true;
}

static __attribute__((noinline)) void framed(void (*body)(void))
{
	struct _pthread_cleanup_buffer buffer;

	_pthread_cleanup_push(&buffer, jumped, NULL);
	inner(body);
	_pthread_cleanup_pop(&buffer, 0);
}

static void jump_out(void) { longjmp(before, 1); }
static void thread_exit(void) { pthread_exit(NULL); }
static void nothing(void) {}
static void jump_within(void)
{
	jmp_buf here;

	if (setjmp(here) == 0)
		longjmp(here, 1);
}

static void below_unwound(int *context)
{
	(void)context;
	/* a clean-up of the program, on the old stack: must not run */
	caught = 1;
	_exit(CAUGHT_BELOW);
}

static ucontext_t own, back;
static void (*job)(void);

static void entry(void) { framed(job); }

/* Calls the body in its frame, on another stack, below a clean-up and a setjmp() of the program. */
static __attribute__((noinline)) void on_own_stack(void (*body)(void))
{
	int below __attribute__((cleanup(below_unwound))) = 0;
	size_t size = 1 << 20;

	job = body;
	if (setjmp(before) != 0)
		_exit(CAUGHT_BELOW);
	CHECK_EQ(getcontext(&own), 0);
	own.uc_stack.ss_sp = shm_stack(size);
	CHECK(own.uc_stack.ss_sp);
	own.uc_stack.ss_size = size;
	own.uc_link = &back;
	makecontext(&own, entry, 0);
	CHECK_EQ(swapcontext(&back, &own), 0);
	CHECK_EQ(below, 0);
	_exit(RETURNED);
}

static void run_jump_out(void) { on_own_stack(jump_out); }
static void run_thread_exit(void) { on_own_stack(thread_exit); }
static void run_nothing(void) { on_own_stack(nothing); }
static void run_jump_within(void) { on_own_stack(jump_within); }

static void frames(void)
{
	CHECK_EQ(status_of(run_nothing), RETURNED);
	CHECK_EQ(status_of(run_jump_within), RETURNED);
	CHECK_EQ(status_of(run_jump_out), JUMPED);
	CHECK_EQ(status_of(run_thread_exit), UNWOUND);
}
Test(kernel_frame, longjmp_and_pthread_exit_are_caught) { case_run(frames, 20000); }

/*
 * Without a frame: unwinding ends where the stack of makecontext() ends, and nothing of the program
 * below has run.
 */
static void bare_entry(void) { job(); }

static void bare_thread_exit(void)
{
	int below __attribute__((cleanup(below_unwound))) = 0;
	size_t size = 1 << 20;

	job = thread_exit;
	CHECK_EQ(getcontext(&own), 0);
	own.uc_stack.ss_sp = shm_stack(size);
	own.uc_stack.ss_size = size;
	own.uc_link = &back;
	makecontext(&own, bare_entry, 0);
	swapcontext(&back, &own);
	CHECK_EQ(below, 0);
}

static void unwinding_ends(void)
{
	CHECK_NE(status_of(bare_thread_exit), CAUGHT_BELOW);
	CHECK_EQ(caught, 0);
}
Test(kernel_frame, unwinding_ends_with_the_stack) { case_run(unwinding_ends, 20000); }

/* ---- the stack's guard ----------------------------------------------------------------------- */

static volatile char sink;

static __attribute__((noinline)) int deep(int n)
{
	volatile char fill[4096];

	fill[0] = (char)n;
	sink = fill[0];
	return n < 1000000 ? deep(n + 1) + fill[0] : 0;
}

static void overflow(void) { sink = (char)deep(0); }
static void run_overflow(void) { on_own_stack(overflow); }

static void guard_page(void) { CHECK_EQ(status_of(run_overflow), -SIGSEGV); }
Test(kernel_frame, a_stack_that_runs_over_is_a_fault) { case_run(guard_page, 20000); }
