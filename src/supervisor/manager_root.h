/* SPDX-License-Identifier: MIT */
/* manager_root.h - what the supervisor's root has for the service manager. */
#ifndef BROOD_SUPERVISOR_MANAGER_ROOT_H
#define BROOD_SUPERVISOR_MANAGER_ROOT_H

#include "../loop/loop.h"
#include "../os/runners.h"
#include "../pool/notices.h"
#include "../pool/watchdog.h"

/* Messages for the service manager: notifier.c. */
struct notifier {
	struct notices notices;
	struct source room; /* in the loop while messages wait for room in the manager's socket */
	bool full_said;     /* logged: messages are dropped */
};

/* What systemd was told. status: the engine's words. trouble_said: feed_trouble(), when told. */
struct manager {
	bool engine_ready, ready_said, stopping_said;
	char status[208];
	const char *trouble_said;
};

struct feed {
	struct watchdog watchdog; /* the service manager's: feed.c */
	struct runners runners;   /* the engine's threads that ran when it was asked */
	struct timer timer;
};

#endif
