/* SPDX-License-Identifier: MIT */
/*
 * manager-says: a service for tests of what systemd is told.
 *   manager-says serve     serves until SIGTERM. SIGHUP begins a reload, SIGUSR1 ends it
 *   manager-says fail      its workers die at birth: BROOD_START_OR_FAIL
 *   manager-says accept    for one connection (Accept=yes, on stdin): done before its pool is ready
 */
#include <brood.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *mode;

static int init(void *context)
{
	(void)context;
	if (strcmp(mode, "accept") == 0)
		sleep(1); /* the engine is done by then */
	return strcmp(mode, "fail") == 0 ? 7 : 0;
}

static void serve(struct brood *brood)
{
	sigset_t set;
	int received;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	brood_notify_ready(brood);
	while (sigwait(&set, &received) == 0 && received != SIGTERM)
		brood_notify(brood,
			received == SIGHUP ? "RELOADING=1"
					   : "READY=1\nSTATUS=reload failed: line 3");
}

int main(int argc, char **argv)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 2,
		.worker_init = init,
		.start_limit = 3,
		.backoff_min_ms = 5,
		.backoff_max_ms = 20,
		.flags = BROOD_START_OR_FAIL };
	struct brood *brood;

	mode = argc == 2 ? argv[1] : "serve";
	if (brood_start(&options, &brood) < 0) {
		fprintf(stderr, "manager-says: %s\n", brood_error());
		return 1;
	}
	if (strcmp(mode, "accept") == 0) {
		brood_notify_ready(brood);
		return write(STDIN_FILENO, "hello\n", 6) == 6 ? 0 : 1;
	}
	serve(brood);
	return brood_stop(brood) < 0;
}
