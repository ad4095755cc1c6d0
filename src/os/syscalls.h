/* SPDX-License-Identifier: MIT */
/*
 * syscalls.h - did this piece of code make a system call? Linux 5.11 on x86-64 answers that for 2
 * us at most (PR_SET_SYSCALL_USER_DISPATCH), and for nothing when it made none.
 *
 * While the selector says BLOCK, the first system call of the watched thread raises SIGSYS instead.
 * The handler notes it, sets the selector to ALLOW, and goes back to the very instruction, which
 * now makes the call. So a piece of code is trapped once at most, and sees nothing of it. Children
 * and new threads are not watched: who has one made a system call for it.
 *
 * Traps (all of them are why syscalls_watch() looks around before it says yes):
 *   - A trap while SIGSYS is blocked is the process's end. Blocking it takes a system call, which
 *     is trapped before; but a signal handler that was there before may block all signals, and it
 *     returns by a system call.
 *   - Our own calls on behalf of the watched code are not its calls: SYSCALLS_OURS for the rest of
 *     a scope.
 *   - The handler of a real SIGSYS (a seccomp filter's, somebody's kill()) is to be the default
 *     action: handed on.
 *   - A handler of ours that interrupts watched code says syscalls_note(): returning from it is a
 *     system call.
 */
#ifndef BROOD_OS_SYSCALLS_H
#define BROOD_OS_SYSCALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { SYSCALLS_ALLOW = 0, SYSCALLS_BLOCK = 1 }; /* the kernel's numbers */
/* the kernel reads it at each call of the watched thread */
extern _Atomic unsigned char syscalls_selector;

/*
 * Begins to watch this thread, for life: 0; -ENOSYS: not on this machine; -EBUSY: SIGSYS is
 * somebody else's, or blocked, or blocked by one of the handlers here; or what the kernel says.
 */
int syscalls_watch(void);
/* The same again, after code that may have ended it: false, nobody is watched any more. */
bool syscalls_watch_again(void);
/* After fork(), in a child: a SIGSYS there is nobody's but the default's. */
void syscalls_forget(void);

/*
 * Called before the first one is made; async-signal-safe, and leaves errno as it is. NULL: nothing.
 */
extern void (*volatile syscalls_before_first)(void);
bool syscalls_watching(void);

void syscalls_begin(void);
/* since begin: it made one, or nobody can know */
bool syscalls_end(void);
void syscalls_note(void); /* async-signal-safe: this counts as one */

static inline unsigned char syscalls_allow(void)
{
	unsigned char before = atomic_load_explicit(&syscalls_selector, memory_order_relaxed);

	atomic_store_explicit(&syscalls_selector, SYSCALLS_ALLOW, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	return before;
}
static inline void syscalls_back(unsigned char *before)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&syscalls_selector, *before, memory_order_relaxed);
}
#define SYSCALLS_OURS                  \
	unsigned char syscalls_before_ \
		__attribute__((cleanup(syscalls_back), unused)) = syscalls_allow()

#endif
