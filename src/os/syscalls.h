/* SPDX-License-Identifier: MIT */
/*
 * syscalls.h - tells whether a piece of code has made a system call. On x86-64, since Linux 5.11
 * (PR_SET_SYSCALL_USER_DISPATCH), the answer costs at most 2 us, and nothing if there was no system
 * call.
 *
 * While the selector says BLOCK, the first system call of the watched thread raises SIGSYS instead.
 * The handler notes the call, sets the selector to ALLOW, and returns to the same instruction,
 * which now makes the call. So a piece of code is trapped at most once, and notices nothing.
 * Children and new threads are not watched, but making one is a system call.
 *
 * Traps, which are the reason for syscalls_watch()'s checks:
 *   - A trap while SIGSYS is blocked ends the process. To block SIGSYS takes a system call, which
 *     is trapped first. But a handler that was installed before may block all signals, and it
 *     returns by a system call.
 *   - System calls that the library makes inside watched code must not count: SYSCALLS_OURS allows
 *     them for the rest of a scope.
 *   - A real SIGSYS (of a seccomp filter, or of kill()) must have its default action: the handler
 *     passes it on.
 *   - A handler of the library that interrupts watched code calls syscalls_note(), because its
 *     return is a system call.
 */
#ifndef BROOD_OS_SYSCALLS_H
#define BROOD_OS_SYSCALLS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* the selector's values, as the kernel defines them */
enum { SYSCALLS_ALLOW = 0, SYSCALLS_BLOCK = 1 };
/* The byte that the kernel reads at each system call of the watched thread. */
extern _Atomic unsigned char syscalls_selector;

/*
 * Begins to watch this thread, for its whole life. Returns 0; -ENOSYS: this machine cannot do it;
 * -EBUSY: SIGSYS has another handler, or is blocked, or a handler of this process blocks it; or the
 * kernel's error.
 */
int syscalls_watch(void);
/*
 * The two halves of syscalls_watch(). The first puts the handler in place, which children made by a
 * raw clone inherit, and returns as syscalls_watch() does. The second begins to watch.
 */
int syscalls_prepare(void);
int syscalls_watch_prepared(void);
/*
 * Begins to watch again, after code that may have ended the watch. False: the thread is not watched
 * any more.
 */
bool syscalls_watch_again(void);
/* After fork(), in the child: gives SIGSYS its default action again. */
void syscalls_forget(void);

/*
 * Called by the trap, before the first system call of the watched code is made. The function is
 * async-signal-safe and keeps errno. NULL: nothing is called.
 */
extern void (*volatile syscalls_before_first)(void);
/*
 * Called for a SIGSYS that is no trap of a watched call. NULL: the signal has its default action.
 */
extern void (*volatile syscalls_on_other)(int sig, siginfo_t *info, void *context);
extern volatile sig_atomic_t syscalls_watched; /* true: this thread is watched */

/*
 * To watch a piece of code: set this to 0, then the selector to BLOCK if syscalls_watched; after
 * the code the selector to ALLOW. The code made a system call, or that cannot be known, if this is
 * set or the thread is not watched. worker/run.c does so around each job.
 */
extern volatile sig_atomic_t syscalls_made;
void syscalls_note(void); /* counts a system call; async-signal-safe */

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
