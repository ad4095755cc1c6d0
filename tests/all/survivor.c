/* SPDX-License-Identifier: MIT */
/*
 * survivor.c - a pool under injected errors. Starts four workers and calls without pause; a worker
 * crashes now and then, so that births and deaths go on too. A line on stdin ends the storm: then
 * 100 jobs must be done and the pool be full, within bounds. Says its supervisor's pid first. Exit
 * 0: so it was.
 */
#include <brood.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int echo(struct brood_job *job)
{
	char data[512];
	ssize_t n = brood_job_read_all(job, data, sizeof data);

	return n >= 0 && brood_job_reply(job, data, (size_t)n) == n ? 0 : 1;
}

static int crash(struct brood_job *job)
{
	(void)job;
	_exit(9);
}

static int leave_child(struct brood_job *job)
{
	(void)job;
	return system("sleep 99 &") != 0;
}

static void quiet(void *context, const struct brood_log *log)
{
	(void)context;
	(void)log;
}

static int line_came(int ms)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

static void nap(void) { poll(NULL, 0, 5); }

static int call(struct brood *brood, brood_fn *fn, struct brood_verdict *v)
{
	static const char request[64] = "a request";
	char reply[64];
	ssize_t n = brood_call(brood, fn, request, sizeof request, reply, sizeof reply, NULL, v);

	return n == sizeof request && memcmp(request, reply, sizeof request) == 0 ? 0 : -1;
}

static int calm(struct brood *brood)
{
	struct brood_stats stats = { 0 };
	struct brood_verdict v;
	int done = 0;

	for (int tries = 0;
		tries < 2000 && (brood_stats(brood, &stats) < 0 || stats.ready != stats.workers);
		tries++)
		nap();
	if (stats.ready != stats.workers) {
		fprintf(stderr, "survivor: %u of %u workers are ready\n", stats.ready,
			stats.workers);
		return 1;
	}
	for (int i = 0; i < 100; i++) {
		char line[256];

		if (call(brood, echo, &v) == 0) {
			done++;
			continue;
		}
		brood_verdict_format(&v, line, sizeof line);
		if (i - done < 3)
			fprintf(stderr, "survivor: %s\n", line);
	}
	return done == 100 ? 0 : 1;
}

int main(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 4,
		.flags = BROOD_NO_CORE,
		.queue_ms = 2000,
		.log = quiet };
	struct brood_verdict v;
	struct brood *brood;
	char line[16];
	int r;

	printf("%d\n", (int)getpid());
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin)) /* "go": somebody may have attached by now */
		return 2;
	r = brood_start(&options, &brood);
	if (r < 0) {
		fprintf(stderr, "survivor: %s\n", brood_error());
		return 3;
	}
	printf("started\n");
	fflush(stdout);
	for (int i = 0; !line_came(0); i++)
		if (call(brood, i % 50 == 49 ? leave_child : i % 20 == 19 ? crash : echo, &v) < 0)
			nap();
	r = calm(brood);
	if (brood_stop(brood) < 0)
		r = 1;
	return r;
}
