/* SPDX-License-Identifier: MIT */
/*
 * syscalls.h - sees the system calls of a piece of code, on x86-64 since Linux 5.11
 * (PR_SET_SYSCALL_USER_DISPATCH). A call that is seen costs 2 to 4 us, and watching costs nothing
 * if there is no call.
 *
 * While the selector says BLOCK, a system call of the watched thread raises SIGSYS instead, which
 * is a trap. The handler asks syscalls_let() whether the call may be made under watch:
 *   yes   The handler returns to a piece of code of the library, the stub. The stub makes the call
 *         with the interrupted code's registers, mask and stack, and goes back to that code. The
 *         selector still says BLOCK: the next call is trapped, too. The kernel lets through the two
 *         calls made in between, the handler's return and the stub's, by where they stand.
 *   no    The handler notes the call, sets the selector to ALLOW, and returns to the same
 *         instruction, which now makes the call. Nothing more is seen.
 * The watched code notices nothing. The call is made by the stub, and not in the handler, so that
 * it may wait, be interrupted, restarted, or left by a jump, as if it had not been trapped.
 * Children and new threads are not watched, but making one is a system call.
 *
 * Traps, which are the reason for the checks of syscalls_watch() and of the handler:
 *   - A trap while SIGSYS is blocked ends the process. So nothing that can block SIGSYS may be let
 *     through: a mask that is set, a handler that is installed, a call that waits with a mask. But
 *     a handler that was installed before may block all signals, and it returns by a system call.
 *   - That return is no call for the stub, which has another stack pointer. Nor are calls that look
 *     at the stack, and calls that make a process or a thread.
 *   - The stub puts the address to return to below the 128 bytes that the interrupted code may use
 *     beyond its stack pointer. If the handler runs on that same stack, its own frame is there. So
 *     on a thread without an alternate stack, and in a handler on that stack, nothing is let
 *     through.
 *   - System calls that the library makes inside watched code must not count: SYSCALLS_OURS allows
 *     them for the rest of a scope.
 *   - A real SIGSYS (of a seccomp filter, or of kill()) must have its default action: the handler
 *     passes it on.
 *   - A handler of the library that interrupts watched code calls syscalls_note(), because its
 *     return is a system call.
 *   - The handler returns by code of its own (sa_restorer), which the C library replaces if the
 *     disposition is set through it: syscalls_mend().
 */
#ifndef BROOD_OS_SYSCALLS_H
#define BROOD_OS_SYSCALLS_H

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* the kernel's SA_RESTORER; the C library hides its name */
#define SYSCALLS_RESTORER 0x04000000

/* the selector's values, as the kernel defines them */
enum { SYSCALLS_ALLOW = 0, SYSCALLS_BLOCK = 1 };
/* The byte that the kernel reads at each system call of the watched thread. */
extern _Atomic unsigned char syscalls_selector;

/*
 * Begins to watch this thread. Returns 0; -ENOSYS: this machine cannot do it;
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
 * Begins to watch again after a pause. Costs no call if there was none. False: the thread cannot be
 * watched any more.
 */
bool syscalls_watch_again(void);
/*
 * Makes a pause: no call is seen. While a thread is watched, each of its calls costs 80 ns more,
 * also if the selector says ALLOW. syscalls_pause() is for code behind which the state is not
 * known; syscalls_rest() costs no call if there is a pause already.
 */
void syscalls_pause(void);
void syscalls_rest(void);
/*
 * Called with the disposition of SIGSYS, as sigaction() told it, after code that may have changed
 * it and put it back: the handler gets its own return again. Until then no call is let through.
 */
void syscalls_mend(const struct sigaction *now);
/* After fork(), in the child: gives SIGSYS its default action again. */
void syscalls_forget(void);

/*
 * Asked by the trap for each call that could be let through; makes no system call. NULL: none is
 * let through. last: what came of the call that was let through before; SYSCALLS_UNKNOWN: it has
 * not returned.
 */
extern bool (*volatile syscalls_let)(long number, const long arguments[6], long last);
#define SYSCALLS_UNKNOWN LONG_MIN
extern volatile long syscalls_result; /* that result; set it to SYSCALLS_UNKNOWN for a new piece */
/*
 * Called by the trap, before the first system call of the watched code is made that is not let
 * through. The function is async-signal-safe and keeps errno. NULL: nothing is called.
 */
extern void (*volatile syscalls_before_first)(void);
/*
 * Called for a SIGSYS that is no trap of a watched call. NULL: the signal has its default action.
 */
extern void (*volatile syscalls_on_other)(int sig, siginfo_t *info, void *context);
extern volatile sig_atomic_t syscalls_watched; /* true: this thread is watched (or pauses) */

/*
 * To watch a piece of code: set this to 0, then the selector to BLOCK if syscalls_watch_again();
 * after the code the selector to ALLOW. The code made a system call that was not let through, or
 * that cannot be known, if this is set or the thread is not watched. worker/conduct.c does so
 * around each job.
 */
extern volatile sig_atomic_t syscalls_made;
void syscalls_note(void); /* counts a system call; async-signal-safe */

/* True: this instruction is the stub's, which makes a call for the code that called the stub. */
bool syscalls_is_stub(uintptr_t instruction);

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
