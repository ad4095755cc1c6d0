/* SPDX-License-Identifier: MIT */
/*
 * supervisor.h - the original process: too dull to crash. See supervisor.c.
 */
#ifndef BROOD_SUPERVISOR_SUPERVISOR_H
#define BROOD_SUPERVISOR_SUPERVISOR_H

#include "config.h"

struct supervisor;

/* Before the first fork: memory, epoll, signalfd. */
int supervisor_prepare(const struct supervisor_config *config, struct supervisor **ret);
struct supervisor *supervisor_free(struct supervisor *s);
/* In the child that becomes the engine: closes what prepare opened. */
void supervisor_leave(struct supervisor *s);
/* After the engine's fork. Never returns: ends as the engine did. */
void supervisor_run(struct supervisor *s, pid_t engine_pid, int engine_pidfd)
	__attribute__((noreturn));

#endif
