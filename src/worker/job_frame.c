/* SPDX-License-Identifier: MIT */
/*
 * job_frame.c - law 10: nothing that a job does gets past its frame.
 *
 * BUILD: this file, and this one alone, must be compiled with -fexceptions (gcc and clang): without
 * it the cleanup below is not in the unwind tables and pthread_exit() goes by unseen.
 *
 *   C++ exception   Unwinding ends at the first frame of the worker's own (job_stack.c), so the
 *                   search for a handler finds none, the `catch` around brood_start() included:
 *                   std::terminate(), SIGABRT, and no destructor has run. The cleanup here is no
 *                   handler: the search passes it by.
 *   pthread_exit()  is a forced unwind, which runs cleanups frame by frame: ours is the last before
 *                   the stack ends. (The same goes for a thread that cancels the job's.)
 *   longjmp()       runs, in glibc, the handlers of the old _pthread_cleanup_push() interface whose
 *                   buffers lie in the part of the stack that is jumped over. (The macro of
 *                   <pthread.h> is another interface, whose handlers longjmp() does not run.) A
 *                   jump within the job's own frames does not pass the buffer.
 *   exit()          is stopped by on_exit() in main.c.
 *
 * Trap: `inner` must stay a function of its own, below the buffer, so that a forced unwind meets
 * its cleanup before it calls the handlers of the buffer. The C library takes the thread's own
 * stack for the highest. So a jump from a coroutine back into the job does not pass the buffer,
 * wherever the coroutine's stack lies. Limit: where jobs do not run on the thread's own stack
 * (job_stack.c), a longjmp() to a stack above theirs looks like a jump out of the frame.
 * swapcontext() is not affected.
 */
#include "job_frame.h"

#include "../wire/message.h"

#include <pthread.h>
#include <stdbool.h>

extern void _pthread_cleanup_push(
	struct _pthread_cleanup_buffer *buffer, void (*routine)(void *), void *arg);
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

struct inner {
	const struct job_frame *frame;
	bool returned;
};

static void unwound(struct inner *inner)
{
	if (!inner->returned)
		inner->frame->escaped(inner->frame->arg, ESCAPED_THREAD_EXIT);
}

static void jumped(void *frame)
{
	const struct job_frame *f = frame;

	f->escaped(f->arg, ESCAPED_LONGJMP);
}

static __attribute__((noinline)) int run_inner(const struct job_frame *frame)
{
	struct inner inner __attribute__((cleanup(unwound))) = { .frame = frame };
	int code = frame->call(frame->arg);

	inner.returned = true;
	return code;
}

int job_frame_run(const struct job_frame *frame)
{
	struct job_frame copy = *frame;
	struct _pthread_cleanup_buffer buffer;
	int code;

	_pthread_cleanup_push(&buffer, jumped, &copy);
	code = run_inner(&copy);
	_pthread_cleanup_pop(&buffer, 0);
	return code;
}
