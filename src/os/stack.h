/* SPDX-License-Identifier: MIT */
/*
 * stack.h - the stack of the program's first thread, on which a worker's jobs run; and the
 * alternate stack for handlers.
 *
 * After a fork, the C library knows only one stack of the process. pthread_getattr_np() tells where
 * this stack lies, and longjmp() decides by its top which frames a jump leaves. Both would be wrong
 * for code on another stack. So jobs run on this stack, below main()'s frames, and unwinding ends
 * at the worker's own first frame: see stack_enter().
 */
#ifndef BROOD_OS_STACK_H
#define BROOD_OS_STACK_H

#include "../base/base.h"

/*
 * Notes where the stack lies and how far it can grow, from /proc/self/maps. Returns 0; -ENOENT: the
 * caller runs on another stack (a coroutine's); -errno: /proc cannot be read.
 */
int stack_note(void);

/*
 * In a child: sets RLIMIT_STACK so that `size` bytes are free below the caller. Where the maker of
 * this process has set so much, and at most STACK_RESERVE_MORE more, the limit stays as it is.
 * False: the stack was not noted, another mapping is in its way, the hard limit is too low, or
 * stack_enter() does not support this processor.
 */
#define STACK_RESERVE_MORE (64u << 10)
bool stack_reserve(size_t size);

/*
 * Calls fn(), which must not return. Neither an exception nor forced unwinding gets past this
 * frame.
 */
void stack_enter(void (*fn)(void)) __attribute__((noreturn));

/* Gives this thread an alternate stack, unless it has one. 0 or -errno. */
int stack_alternate(void);

#endif
