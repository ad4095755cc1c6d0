/* SPDX-License-Identifier: MIT */
/*
 * supervisor.h - the original process: too dull to crash. See supervisor.c.
 */
#ifndef BROOD_SUPERVISOR_SUPERVISOR_H
#define BROOD_SUPERVISOR_SUPERVISOR_H

#include "../os/notify.h"
#include "../os/signals.h"
#include "../wire/birth.h"

struct supervisor;
/* What it is made of: the front door fills it in. */
struct supervisor_config {
	const struct brood_options *options; /* resolved; of these, what is for all pools */
	struct pool_setups pools;
	struct shared *shared;
	struct notify notify;
	struct standard standard; /* flags of stdout and stderr at the start */
	struct stale stale;       /* what the program had open at the start */
	uint32_t records;
	int channel_fd, log_fd;       /* supervisor's ends */
	struct signals_state signals; /* the caller's, for the children */
	/* roles never include each other: the front door passes them */
	void (*worker_main)(struct worker_config *) __attribute__((noreturn));
	void (*guard_main)(struct guard_config *) __attribute__((noreturn));
};

/* Before the first fork: memory, epoll, signalfd. */
int supervisor_prepare(const struct supervisor_config *config, struct supervisor **ret);
struct supervisor *supervisor_free(struct supervisor *s);
/* In the child that becomes the engine: closes what prepare opened. */
void supervisor_leave(struct supervisor *s);
/* After the engine's fork. Never returns: ends as the engine did. */
void supervisor_run(struct supervisor *s, pid_t engine_pid, int engine_pidfd)
	__attribute__((noreturn));

#endif
