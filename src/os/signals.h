/* SPDX-License-Identifier: MIT */
/* signals.h - dispositions, masks, signalfd. */
#ifndef BROOD_OS_SIGNALS_H
#define BROOD_OS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNALS_MAX 65

struct signals_state { sigset_t mask; struct sigaction actions[SIGNALS_MAX]; };
void signals_save(struct signals_state *ret);                         /* mask and all dispositions */
void signals_restore(const struct signals_state *s);
void signals_default_all(const int *keep, size_t keep_count);         /* every disposition default but those */
int signals_block_all(sigset_t *ret_old);                             /* but synchronous faults (SEGV, BUS, ILL, FPE, TRAP, SYS) and ABRT */
int signals_fd(const sigset_t *set);                                  /* signalfd, nonblocking, close-on-exec */
/* One signal from it: its number and siginfo, 0 when there is none, -errno. */
struct signalfd_siginfo;
int signals_read(int fd, struct signalfd_siginfo *ret_info);
const char *signals_name(int sig, char buffer[16]);                   /* "SIGSEGV", "SIGRTMIN+3", "signal 99" */
void signals_die_like(int sig) __attribute__((noreturn));             /* no core: dumpable 0, RLIMIT_CORE 0, default, unblocked, raised; still here (PID 1): _exit(128 + sig) */

#endif
