/* SPDX-License-Identifier: MIT */
/*
 * job_stack.c - see job_stack.h.
 *
 * Jobs run on the thread's own stack. So pthread_getattr_np() tells the truth to garbage collectors
 * and script engines. And longjmp() knows which of its targets lie above the job's frame (run.c):
 * for it, the stacks of coroutines lie below, wherever they were made.
 *
 * Where the thread's own stack cannot have the wanted size (os/stack.h), jobs run on memory that is
 * mapped for them. There a coroutine whose longjmp() goes to a stack above it looks like a jump out
 * of the job.
 */
#include "job_stack.h"

#include "../os/shm.h"
#include "../os/stack.h"

#include <ucontext.h>

/* A sanitizer must be told of a change of stack. Weak, for most programs have no sanitizer. */
extern void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size)
	__attribute__((weak));
extern void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *size)
	__attribute__((weak));

static void (*entered)(void);

static void on_mapped_stack(void)
{
	if (__sanitizer_finish_switch_fiber)
		__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
	entered();
}

/*
 * Calls the function on mapped memory. A context that makecontext() made has no caller, so
 * unwinding ends there, too.
 */
static int enter_mapped(size_t size)
{
	static ucontext_t context;
	void *stack = shm_stack(size);

	if (!stack)
		return -ENOMEM;
	if (getcontext(&context) < 0)
		return -errno;
	context.uc_stack.ss_sp = stack;
	context.uc_stack.ss_size = size;
	context.uc_link = NULL;
	makecontext(&context, on_mapped_stack, 0);
	if (__sanitizer_start_switch_fiber)
		__sanitizer_start_switch_fiber(NULL, stack, size);
	setcontext(&context);
	return -errno;
}

int job_stack_enter(size_t size, void (*fn)(void))
{
	if (stack_reserve(size))
		stack_enter(fn);
	entered = fn;
	return enter_mapped(size);
}
