/* SPDX-License-Identifier: MIT */
/*
 * real.h - what the programs of this folder that start a real Brood share. All processes are
 * instrumented; only the engine has threads. A program ends with 0 and a line of its own, or by a
 * CHECK or a report: halt_on_error ends the engine, and the supervisor ends as the engine did.
 */
#ifndef BROOD_TESTS_TSAN_REAL_H
#define BROOD_TESTS_TSAN_REAL_H

#include "../helpers/proc.h"
#include "../helpers/report.h"

#include <brood.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct brood *brood;

/* Prints log lines about deaths, where no process shall die. */
#ifndef REAL_DEATHS
#define REAL_DEATHS 1
#endif
static inline void real_log(void *context, const struct brood_log *log)
{
	(void)context;
	if (!REAL_DEATHS && log->level <= BROOD_NOTICE)
		fprintf(stderr, "%s\n", log->text);
}

static inline void real_start(uint32_t workers)
{
	struct brood_options options = { .size = sizeof options,
		.workers = workers,
		.log = real_log,
		.flags = BROOD_NO_CORE,
		.lease_idle_ms = 100,
		.queue_ms = 60000 };
	int r;

	r = brood_start(&options, &brood);
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	r = brood_wait_ready(brood, (uint32_t)test_scaled(60000));
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
}

static inline unsigned real_random(unsigned *state) { return (unsigned)rand_r(state); }

/*
 * Jobs: echo; and what their argument says: 'c' crashes, 'x' exits, 's' sleeps for a moment, 'w'
 * until it is cancelled, 'l' too, but without a system call, 'p' tells of progress.
 */
static inline int real_job(struct brood_job *job)
{
	size_t size;
	const char *what = brood_job_arg(job, &size);
	char block[4096] = "";
	ssize_t n;

	switch (size ? *what : 'e') {
	case 'c': abort();
	case 'x': _exit(3);
	case 's': usleep(2000); break;
	case 'w':
		while (!brood_job_cancelled(job))
			usleep(500);
		break;
	case 'l':
		while (!brood_job_cancelled(job) && strlen(block) < sizeof block)
			; /* the sanitizer delivers a signal in strlen() */
		break;
	case 'p': brood_job_progress(job, "half", 4); break;
	default: break;
	}
	while ((n = brood_job_read(job, block, sizeof block)) > 0)
		if (brood_job_write(job, block, (size_t)n) != n)
			return 1;
	return n == 0 ? 0 : 2;
}

struct real_threads {
	pthread_t threads[64];
	int count;
};
static inline void real_thread(struct real_threads *t, void *(*body)(void *), uintptr_t number)
{
	CHECK(t->count < 64);
	CHECK_EQ(pthread_create(&t->threads[t->count++], NULL, body, (void *)number), 0);
}
static inline void real_join(struct real_threads *t)
{
	while (t->count > 0)
		pthread_join(t->threads[--t->count], NULL);
}

#endif
