/* SPDX-License-Identifier: MIT */
/*
 * guard.h - law 3: nothing that a job started outlives the supervisor. The guard is a child of the
 * supervisor, in a session of its own, with no fd but its stdio on /dev/null and the supervisor's
 * pidfd. It sleeps in one poll() until the supervisor is gone, then kills every session in the
 * roster, the engine, and itself ends. It runs no user code.
 */
#ifndef BROOD_GUARD_H
#define BROOD_GUARD_H
#include "../wire/birth.h"
void guard_main(struct guard_config *config) __attribute__((noreturn));
#endif
