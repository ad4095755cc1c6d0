/* SPDX-License-Identifier: MIT */
/*
 * notify-hidden: a service that looks for systemd's variables wherever its code runs: in the
 * engine, in a worker, and in a program that a job starts. What it found is its status: "hidden",
 * or where not. Then it waits to be stopped.
 */
#include <brood.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int visible(void)
{
	return getenv("NOTIFY_SOCKET") || getenv("WATCHDOG_USEC") || getenv("WATCHDOG_PID");
}

static int in_worker(struct brood_job *job)
{
	(void)job;
	if (visible())
		return 1;
	return system("env | grep -q -e ^NOTIFY_SOCKET= -e ^WATCHDOG_") == 0 ? 2 : 0;
}

int main(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 1 };
	struct brood *brood;
	struct brood_verdict verdict = { .size = sizeof verdict };
	sigset_t ends;
	int received;
	if (!getenv("NOTIFY_SOCKET") || !getenv("WATCHDOG_USEC")) {
		fprintf(stderr,
			"notify-hidden: not started by systemd with Type=notify and "
			"WatchdogSec=\n");
		return 1;
	}
	if (brood_start(&options, &brood) < 0) {
		fprintf(stderr, "notify-hidden: %s\n", brood_error());
		return 1;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	brood_call(brood, in_worker, NULL, 0, NULL, 0, NULL, &verdict);
	brood_notify_ready(brood);
	if (visible())
		brood_notify_status(brood, "visible in the engine");
	else if (verdict.outcome != BROOD_DONE)
		brood_notify_status(brood,
			verdict.code == 2 ? "visible in a job's child" : "visible in a worker");
	else
		brood_notify_status(brood, "hidden");
	sigwait(&ends, &received);
	return brood_stop(brood) < 0;
}
