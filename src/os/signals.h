/* SPDX-License-Identifier: MIT */
/* signals.h - dispositions, masks, signalfd. */
#ifndef BROOD_OS_SIGNALS_H
#define BROOD_OS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNALS_MAX 65

struct signals_state {
	sigset_t mask;
	struct sigaction actions[SIGNALS_MAX];
};
/* mask and all dispositions */
void signals_save(struct signals_state *ret);
void signals_restore(const struct signals_state *s);
/* every disposition default but those */
void signals_default_all(const int *keep, size_t keep_count);
/* but synchronous faults (SEGV, BUS, ILL, FPE, TRAP, SYS) and ABRT */
int signals_block_all(sigset_t *ret_old);
/* signalfd, nonblocking, close-on-exec */
int signals_fd(const sigset_t *set);
/* One signal from it: its number and siginfo, 0 when there is none, -errno. */
struct signalfd_siginfo;
int signals_read(int fd, struct signalfd_siginfo *ret_info);
/* "SIGSEGV", "SIGRTMIN+3", "signal 99" */
const char *signals_name(int sig, char buffer[16]);
/*
 * no core: dumpable 0, RLIMIT_CORE 0, default, unblocked, raised; still here (PID 1): _exit(128 +
 * sig)
 */
void signals_die_like(int sig) __attribute__((noreturn));
bool signals_listed(const int *list, size_t count, int sig);
/* Async-signal-safe: the default action, where the handler still is ours. */
void signals_drop(int sig, const struct sigaction *ours);
/* From a handler: the default action takes place once the handler has returned. */
void signals_step_aside(int sig);

#endif
