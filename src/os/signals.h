/* SPDX-License-Identifier: MIT */
/* signals.h - signal handlers and their saved state, masks, signalfd. */
#ifndef BROOD_OS_SIGNALS_H
#define BROOD_OS_SIGNALS_H

#include <signal.h>
#include "../base/base.h"

#define SIGNALS_MAX 65

struct signals_state {
	sigset_t mask;
	struct sigaction actions[SIGNALS_MAX];
};
/* Saves the mask and all dispositions. */
void signals_save(struct signals_state *ret);
void signals_restore(const struct signals_state *s);
/* Sets every disposition to the default, except those of `keep`. */
void signals_default_all(const int *keep, size_t keep_count);
/* Blocks all signals but synchronous faults (SEGV, BUS, ILL, FPE, TRAP, SYS) and ABRT. */
int signals_block_all(sigset_t *ret_old);
/*
 * Blocks SIGABRT, too: for a process that a service manager's SIGABRT to all must not end, nor make
 * dump core. Its own abort() still ends it.
 */
void signals_block_abort(void);
/* Returns a signalfd, nonblocking and close-on-exec, or -errno. */
int signals_fd(const sigset_t *set);
/* signals_read() reads one signal. Returns its number, 0 when there is none, or -errno. */
struct signalfd_siginfo;
int signals_read(int fd, struct signalfd_siginfo *ret_info);
/* Writes "SIGSEGV", "SIGRTMIN+3" or "signal 99". */
const char *signals_name(int sig, char buffer[16]);
/*
 * Ends this process by the signal `sig`, without a core file. PID 1 survives its own signals: then
 * it ends with _exit(128 + sig).
 */
void signals_die_like(int sig) __attribute__((noreturn));
bool signals_listed(const int *list, size_t count, int sig);
/* Sets the default action, if the handler still is `ours`. Async-signal-safe. */
void signals_drop(int sig, const struct sigaction *ours);
/*
 * In a handler: the signal takes its default action when the handler has returned, as if it had
 * never been handled: with the registers, code and address that it came with.
 */
void signals_pass_on(int sig, const siginfo_t *info);
/* Call it in a handler: the default action happens when the handler has returned. */
void signals_step_aside(int sig);

#endif
