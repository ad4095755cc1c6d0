/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the supervisor is made of: the front door fills it in.
 */
#ifndef BROOD_SUPERVISOR_CONFIG_H
#define BROOD_SUPERVISOR_CONFIG_H

#include "../os/notify.h"
#include "../os/signals.h"
#include "../wire/birth.h"

struct supervisor_config {
	const struct brood_options *options; /* resolved */
	struct shared *shared;
	struct notify notify;
	struct standard standard; /* flags of stdout and stderr at the start */
	/* what the program had open at the start (os/stale.h) */
	struct stale stale;
	uint32_t records;
	int channel_fd, log_fd;       /* supervisor's ends */
	struct signals_state signals; /* the caller's, for the children */
	/* roles never include each other: the front door passes them */
	void (*worker_main)(struct worker_config *) __attribute__((noreturn));
	void (*guard_main)(struct guard_config *) __attribute__((noreturn));
};

#endif
