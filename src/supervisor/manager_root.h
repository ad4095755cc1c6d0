/* SPDX-License-Identifier: MIT */
/*
 * manager_root.h - what the supervisor's root has for the service manager,
 * and of signals from outside.
 */
#ifndef BROOD_SUPERVISOR_MANAGER_ROOT_H
#define BROOD_SUPERVISOR_MANAGER_ROOT_H

#include "../loop/loop.h"
#include "../os/runners.h"
#include "../pool/manager_pace.h"
#include "../pool/notices.h"
#include "../pool/watchdog.h"
#include "../wire/roster.h"
#include <sys/types.h>

/* Messages for the service manager: notifier.c. */
struct notifier {
	struct notices notices;
	struct source room; /* in the loop while messages wait for room in the manager's socket */
	bool full_said;     /* logged: messages are dropped */
	int kept[16];       /* fds of dropped messages, until the manager has read all */
	uint32_t kept_count;
};

/* What the service manager was told. status: the engine's words. */
struct manager {
	bool engine_ready, ready_said, stopping_said;
	bool reloading;   /* the program has said RELOADING=1, and not READY=1 since */
	bool leaving;     /* a stop signal came: the service goes on for stop_delay_ms */
	bool failed;      /* STATUS= says why the start or the end failed: nothing replaces it */
	bool errno_given; /* the program has given ERRNO= itself */
	char status[MANAGER_OWN_MAX];
	struct manager_pace pace;
	struct timer tick;
	const char *trouble_said; /* feed_trouble(), when it was told */
};

/* Signals that wait to be passed on, by number: twice.c. since_ns 0: it does not wait. */
struct held_signals {
	struct {
		uint64_t since_ns;
		pid_t from;
	} at[ROSTER_SIGNALS];
	struct timer timer;
};

struct feed {
	struct watchdog watchdog; /* the service manager's: feed.c */
	struct runners runners;   /* the engine's threads that ran when it was asked */
	struct timer timer;
};

#endif
