/* SPDX-License-Identifier: MIT */
/*
 * stack.h - the stack of the program's first thread, which a worker goes on with; and the alternate
 * stack of its handlers.
 *
 * The C library knows one stack of a process that was forked: pthread_getattr_np() tells where it
 * lies, and longjmp() judges by its top which frames a jump leaves. Code that runs elsewhere is a
 * stranger to both. So jobs run on this stack, below main()'s frames, and unwinding ends at the
 * first frame of the worker's own: see stack_enter().
 */
#ifndef BROOD_OS_STACK_H
#define BROOD_OS_STACK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Notes where the stack lies and how far it can grow, from /proc/self/maps. 0; -ENOENT: the caller
 * runs on another stack (a coroutine's); -errno: /proc cannot be read.
 */
int stack_note(void);

/*
 * In a child: sets RLIMIT_STACK so that `size` bytes are free below the caller. False: the stack
 * was not noted, something lies in its way, the hard limit is lower, or stack_enter() does not know
 * this kind of processor.
 */
bool stack_reserve(size_t size);

/* Calls fn(), which must not return. No exception and no forced unwind gets past this frame. */
void stack_enter(void (*fn)(void)) __attribute__((noreturn));

/* Gives this thread an alternate stack, unless it has one. 0 or -errno. */
int stack_alternate(void);

#endif
