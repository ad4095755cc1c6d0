/* SPDX-License-Identifier: MIT */
/*
 * m32.c - both paths, a reply, a crash, a deadline and a submitted job. Exit status 0: all was
 * right.
 */
#include <brood.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int echo(struct brood_job *job)
{
	char text[64];
	ssize_t n = brood_job_read(job, text, sizeof text);

	return n < 0 || brood_job_reply(job, text, (size_t)n) != n;
}
static int crash(struct brood_job *job)
{
	(void)job;
	return raise(SIGKILL);
}
static int sleeper(struct brood_job *job)
{
	(void)job;
	for (;;)
		pause();
}

static int wrong;

static void expect(struct brood *brood, brood_fn *fn, uint32_t path, enum brood_outcome outcome)
{
	struct brood_job_options options = {
		.size = sizeof options, .dispatch = path, .run_ms = 200
	};
	struct brood_verdict v;
	char reply[64] = "", line[400];
	ssize_t n = brood_call_named(
		brood, fn, "job", "hello", 5, reply, sizeof reply, &options, &v);

	if (v.outcome == outcome && (fn != echo || (n == 5 && memcmp(reply, "hello", 5) == 0)))
		return;
	brood_verdict_format(&v, line, sizeof line);
	fprintf(stderr, "path %u: %s\n", path, line);
	wrong = 1;
}

int main(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 2, .flags = BROOD_NO_CORE
	};
	const struct brood_result *result;
	struct brood *brood;
	uint64_t id;

	if (brood_start(&options, &brood) < 0) {
		fprintf(stderr, "%s\n", brood_error());
		return 1;
	}
	for (uint32_t path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		for (int i = 0; i < 100; i++)
			expect(brood, echo, path, BROOD_DONE);
		expect(brood, crash, path, BROOD_CRASHED);
		expect(brood, sleeper, path, BROOD_TIMED_OUT);
		expect(brood, echo, path, BROOD_DONE);
	}
	if (brood_submit_named(brood, echo, "echo", "hello", 5, NULL, &id) < 0 ||
		brood_queue_wait(brood_own_queue(brood), 5000) != 1 ||
		brood_take(brood_own_queue(brood), &result, 1) != 1 ||
		result->verdict.outcome != BROOD_DONE || result->reply_size != 5) {
		fprintf(stderr, "the submitted job: %s\n", brood_error());
		wrong = 1;
	}
	return brood_stop(brood) < 0 || wrong;
}
