/* SPDX-License-Identifier: MIT */
/*
 * stuck.c - a service that is well, or gets stuck, as its argument says. When it gets stuck it
 * writes the time (microseconds of CLOCK_MONOTONIC) to /run/stuck. A job runs meanwhile, so that
 * there is something to tell about its slot.
 */
#include <brood.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct brood *brood;

static int holds(struct brood_job *job)
{
	(void)job;
	for (;;)
		pause();
	return 0;
}

static int nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}

static int twelve_seconds(struct brood_job *job)
{
	(void)job;
	sleep(12);
	return 0;
}

static void give_up(const char *what)
{
	fprintf(stderr, "stuck: %s: %s\n", what, brood_error());
	_exit(1);
}

static void write_time(void)
{
	struct timespec ts;
	FILE *f = fopen("/run/stuck", "w");

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (!f ||
		fprintf(f, "%llu\n",
			(unsigned long long)ts.tv_sec * 1000000ull +
				(unsigned long long)ts.tv_nsec / 1000) < 0 ||
		fclose(f) != 0)
		_exit(1);
}

static void hold_a_worker(void)
{
	const struct brood_job_options options = {
		.size = sizeof options, .run_ms = BROOD_FOREVER, .dispatch = BROOD_PATH_HANDOFF
	};
	struct brood_handle *handle;
	int fd;

	if (brood_open(brood, holds, &options, &fd, &handle) < 0)
		give_up("brood_open");
}

static void stopped(void)
{
	write_time();
	raise(SIGSTOP);
}

static void spins(void)
{
	volatile unsigned n = 0;

	write_time();
	for (;;)
		n++;
}

static void never_dispatches(void)
{
	for (int i = 0; i < 20; i++)
		if (brood_submit(brood, nothing, "", 0, NULL, NULL) < 0)
			give_up("brood_submit");
	write_time();
	for (;;)
		pause();
}

static void *wait_for_nobody(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void idle(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, wait_for_nobody, NULL) != 0)
			give_up("pthread_create");
	wait_for_nobody(NULL);
}

static void slow(void)
{
	if (brood_call(brood, twelve_seconds, "", 0, NULL, 0, NULL, NULL) < 0)
		give_up("brood_call");
	write_time();
	wait_for_nobody(NULL);
}

static const struct {
	const char *name;
	void (*does)(void);
} ways[] = {
	{ "stopped", stopped },
	{ "spins", spins },
	{ "never", never_dispatches },
	{ "idle", idle },
	{ "slow", slow },
};

int main(int argc, char **argv)
{
	const struct brood_options options = {
		.size = sizeof options,
		.workers = 3,
		.lease_idle_ms = 100,
		.engine_answer_ms = argc > 1 && strcmp(argv[1], "stopped") == 0 ? 0 : 500,
		.title = "stuck",
	};

	if (brood_start(&options, &brood) < 0) {
		fprintf(stderr, "stuck: %s\n", brood_error());
		return 1;
	}
	if (brood_wait_ready(brood, 10000) < 0 || brood_notify_ready(brood) < 0)
		give_up("not ready");
	hold_a_worker();
	for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			ways[i].does();
	return 1;
}
