/* SPDX-License-Identifier: MIT */
/*
 * hops.c - which functions of the library run for one warm job. tests/hops compiles it with the
 * whole library, without optimization and with -finstrument-functions, gives it the name of a file,
 * and reads there:
 *
 * 	begin WAY          a job begins: call, submit or handoff
 * 	PROCESS FUNCTION CALLER
 *
 * PROCESS is e, w or s: engine, worker, supervisor. The others are addresses. Each way is recorded
 * ROUNDS times.
 */
#include <brood.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS   9
#define EVENTS   100000
#define UNTRACED __attribute__((no_instrument_function))

struct event {
	void *function, *caller;
	char process;
};

/* Shared by all processes. */
static struct {
	_Atomic int on;
	_Atomic unsigned count;
	struct event events[EVENTS];
} * trace;
/* Each process has its own: workers change it in worker_init, the engine after brood_start(). */
static char process = 's';

void __cyg_profile_func_enter(void *function, void *caller) UNTRACED;
void __cyg_profile_func_exit(void *function, void *caller) UNTRACED;

void __cyg_profile_func_enter(void *function, void *caller)
{
	unsigned i;

	if (!trace || !atomic_load(&trace->on))
		return;
	i = atomic_fetch_add(&trace->count, 1);
	if (i < EVENTS)
		trace->events[i] = (struct event){ function, caller, process };
}

void __cyg_profile_func_exit(void *function, void *caller)
{
	(void)function;
	(void)caller;
}

static UNTRACED int echo(struct brood_job *job)
{
	char text[64];
	ssize_t n = brood_job_read_all(job, text, sizeof text);

	return n >= 0 && brood_job_reply(job, text, (size_t)n) == n ? 0 : 1;
}

static UNTRACED int is_worker(void *context)
{
	(void)context;
	process = 'w';
	return 0;
}

static UNTRACED void pause_ms(long ms) { nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL); }

static UNTRACED int one(struct brood *brood, const char *way)
{
	struct brood_job_options options = { .size = sizeof options };
	struct brood_verdict verdict;
	const struct brood_result *result;
	char reply[64];

	if (way[0] == 's')
		return brood_submit(brood, echo, "hello", 5, &options, NULL) < 0 ||
			brood_queue_wait(brood_own_queue(brood), 1000) < 0 ||
			brood_take(brood_own_queue(brood), &result, 1) != 1 ||
			result->verdict.outcome != BROOD_DONE;
	options.dispatch = way[0] == 'h' ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE;
	return brood_call(brood, echo, "hello", 5, reply, sizeof reply, &options, &verdict) != 5;
}

static UNTRACED void record(struct brood *brood, const char *way, FILE *to)
{
	for (int i = 0; i < 100; i++) /* until it is warm */
		if (one(brood, way))
			exit(1);
	for (int i = 0; i < ROUNDS; i++) {
		pause_ms(20); /* the worker sleeps */
		atomic_store(&trace->count, 0);
		atomic_store(&trace->on, 1);
		if (one(brood, way))
			exit(1);
		pause_ms(5); /* it sleeps again */
		atomic_store(&trace->on, 0);
		fprintf(to, "begin %s\n", way);
		for (unsigned e = 0; e < atomic_load(&trace->count) && e < EVENTS; e++)
			fprintf(to, "%c %p %p\n", trace->events[e].process,
				trace->events[e].function, trace->events[e].caller);
	}
}

UNTRACED int main(int argc, char **argv)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 2, .worker_init = is_worker
	};
	struct brood *brood;
	cpu_set_t one;
	FILE *to;

	/* Pinned to one CPU nobody spins: a spin enters the same files a thousand times. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof one, &one);
	trace = mmap(
		NULL, sizeof *trace, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trace == MAP_FAILED || brood_start(&options, &brood) < 0)
		return fprintf(stderr, "hops: no pool: %s\n", brood_error()), 1;
	process = 'e';
	to = argc == 2 ? fopen(argv[1], "w") : NULL;
	if (!to)
		return fprintf(stderr, "usage: hops FILE\n"), 2;
	record(brood, "call", to);
	record(brood, "submit", to);
	record(brood, "handoff", to);
	return fclose(to) != 0 || brood_stop(brood) < 0;
}
