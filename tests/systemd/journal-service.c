/* SPDX-License-Identifier: MIT */
/*
 * journal-service: a service whose log a test reads. SIGUSR1: a job logs a line. SIGUSR2: a job
 * crashes. While the file /run/broken is there, no worker gets ready. SIGTERM: the end.
 */
#include <brood.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int broken(void *context)
{
	(void)context;
	return access("/run/broken", F_OK) == 0;
}

static int says(struct brood_job *job)
{
	return brood_job_log(job, BROOD_WARNING, "said by a job");
}

static int crashes(struct brood_job *job)
{
	(void)job;
	abort();
}

static const struct brood_job_options tagged = { .size = sizeof tagged, .tag = "GET /a" };

int main(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .worker_init = broken, .flags = BROOD_NO_CORE
	};
	struct brood *brood;
	sigset_t set;
	int received;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (brood_start(&options, &brood) < 0)
		return 1;
	brood_notify_ready(brood);
	for (;;) {
		if (sigwait(&set, &received) != 0 || received == SIGTERM)
			return 0;
		if (received == SIGUSR1)
			brood_call(brood, says, NULL, 0, NULL, 0, &tagged, NULL);
		else
			brood_call(brood, crashes, NULL, 0, NULL, 0, &tagged, NULL);
	}
}
