/* SPDX-License-Identifier: MIT */
/*
 * guard.h - law 3: nothing that a job started outlives the supervisor. The guard is a child of the
 * supervisor, in a session of its own, with its stdio on /dev/null and two fds: a signalfd and
 * the supervisor's pidfd. It sleeps in one poll() until the supervisor is gone. Then it kills the
 * engine, the groups and sessions of the workers in the roster, and all processes that have the
 * workers' mark, and ends. It runs no code of the program.
 */
#ifndef BROOD_GUARD_H
#define BROOD_GUARD_H
#include "../wire/birth.h"
void guard_main(struct guard_config *config) __attribute__((noreturn));
#endif
