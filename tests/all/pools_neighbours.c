/* SPDX-License-Identifier: MIT */
/*
 * pools_neighbours.c - a pool under load beside another pool of the same brood whose workers die at
 * birth, again and again. Rounds of both kinds follow each other: in one kind the other pool is
 * well and has nothing to do, in the next one it loops. The loop begins anew each time, so that the
 * shortest pauses between births are part of each round.
 *
 * The price of the births is the CPU time of the supervisor and of the workers that have died, less
 * what the supervisor takes while the other pool is well.
 */
#include "pools.h"
#include "../../tools/load/histogram.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS  10
#define ROUND_S 3.0
#define WORKERS 4      /* of each pool */
#define JOBS    4000.0 /* a second */
#define WORK_US 100u
#define WELL_MS 30000u /* the other pool is well again by then: the longest pause */

static struct brood *brood;
static struct brood_pool *other;
static _Atomic int *loops; /* shared: not 0: workers of the other pool die at birth */
static struct histogram *took;
struct window {
	double p50_us, p99_us, supervisor_s;
	uint64_t births;
};

static int init_other(void *context)
{
	(void)context;
	if (atomic_load(loops))
		abort();
	return 0;
}

/* The same work each time, on any CPU and beside any load. */
static uint32_t work(uint32_t steps)
{
	volatile uint32_t x = 1;

	while (steps--)
		x = x * 1664525u + 1013904223u;
	return x;
}

static int job_work(struct brood_job *job)
{
	const uint32_t *steps = brood_job_request(job, NULL);

	return !steps || work(*steps) == 0;
}

static int job_die(struct brood_job *job)
{
	(void)job;
	_exit(1);
}

static int job_nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}

/* How many steps take so long, on a CPU that nobody else has. */
static uint32_t steps_of(uint32_t us)
{
	uint64_t best = UINT64_MAX;

	for (int n = 0; n < 20; n++) {
		uint64_t began = now_ns(), took_ns;

		work(100000);
		took_ns = now_ns() - began;
		best = took_ns < best ? took_ns : best;
	}
	return (uint32_t)(100000.0 * us * 1000 / (double)best);
}

static struct brood_stats stats_of_other(void)
{
	struct brood_stats stats;

	if (brood_pool_stats(other, &stats))
		give_up("brood_pool_stats: %s", brood_error());
	return stats;
}

static int call_other(brood_fn *fn, const char *name)
{
	const struct brood_job_options job = {
		.size = sizeof job, .pool = other, .dispatch = BROOD_PATH_HANDOFF, .queue_ms = 5000
	};
	struct brood_verdict verdict = { 0 };

	brood_call_named(brood, fn, name, NULL, 0, NULL, 0, &job, &verdict);
	return (int)verdict.outcome;
}

static void loop_begin(void)
{
	atomic_store(loops, 1);
	for (int i = 0; i < WORKERS; i++)
		if (call_other(job_die, "job_die") != BROOD_EXITED)
			give_up("a worker of the other pool did not die: %s", brood_error());
}

/* A job that is done ends the row of young deaths. */
static void loop_end(void)
{
	uint64_t end = now_ns() + WELL_MS * 1000000ull;

	atomic_store(loops, 0);
	while (stats_of_other().ready < WORKERS) {
		if (now_ns() > end)
			give_up("the other pool does not get well");
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	if (call_other(job_nothing, "job_nothing") != BROOD_DONE)
		give_up("the other pool is not well: %s", brood_error());
}

/* CPU time of the supervisor, and of its children that have ended. */
static double supervisor_s(void)
{
	unsigned long long own_ns = 0;
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/schedstat", (int)getppid());
	file = fopen(path, "re");
	need(file && fscanf(file, "%llu", &own_ns) == 1, path);
	fclose(file);
	snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
	file = fopen(path, "re");
	need(file &&
			fscanf(file,
				"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
				"%lu %lu",
				&user, &system) == 2,
		path);
	fclose(file);
	return (double)own_ns / 1e9 + (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void ended(struct flow *flow, uint64_t due_ns, const struct brood_result *result)
{
	(void)flow;
	if (result->verdict.outcome != BROOD_DONE)
		give_up("a job of the pool under load was not done");
	histogram_add(took, now_ns() - due_ns);
}

static struct window measure(struct flow *flow, bool looping)
{
	struct window w = { .supervisor_s = -supervisor_s(), .births = stats_of_other().spawned };

	if (looping)
		loop_begin();
	histogram_init(took);
	flow_run(flow, ROUND_S);
	flow_finish(flow, 10);
	w.supervisor_s += supervisor_s();
	w.births = stats_of_other().spawned - w.births;
	w.p50_us = (double)histogram_quantile(took, 0.5) / 1000;
	w.p99_us = (double)histogram_quantile(took, 0.99) / 1000;
	if (looping)
		loop_end();
	return w;
}

static void start(void)
{
	struct brood_pool_options second = { .size = sizeof second,
		.name = "other",
		.workers = WORKERS,
		.flags = BROOD_NO_CORE,
		.worker_init = init_other };
	const struct brood_pool_options *pools[] = { &second };
	struct brood_options options = { .size = sizeof options,
		.workers = WORKERS,
		.pools = pools,
		.pools_count = 1,
		.log = quiet };

	loops = mmap(
		NULL, sizeof *loops, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	took = malloc(histogram_size());
	need(loops != MAP_FAILED && took, "memory");
	if (brood_start(&options, &brood) || brood_wait_ready(brood, 30000))
		give_up("no pool: %s", brood_error());
	other = brood_pool(brood, "other");
	need(other != NULL, "brood_pool");
}

static void report(struct window alone[], struct window beside[])
{
	double p50[ROUNDS], p99[ROUNDS], cpu_s = 0, alone_s = 0;
	uint64_t births = 0;

	for (int i = 0; i < ROUNDS; i++) {
		printf("round %2d: median %7.1f and %7.1f us, 99th percentile %7.1f and %7.1f us; "
		       "%llu births\n",
			i + 1, alone[i].p50_us, beside[i].p50_us, alone[i].p99_us, beside[i].p99_us,
			(unsigned long long)beside[i].births);
		p50[i] = beside[i].p50_us / alone[i].p50_us;
		p99[i] = beside[i].p99_us / alone[i].p99_us;
		cpu_s += beside[i].supervisor_s;
		alone_s += alone[i].supervisor_s;
		births += beside[i].births;
	}
	printf("supervisor and dead workers: %.2f %% of a CPU, alone %.2f %%; %llu births\n",
		cpu_s / (ROUNDS * ROUND_S) * 100, alone_s / (ROUNDS * ROUND_S) * 100,
		(unsigned long long)births);
	judge(true, median(p50, ROUNDS), 1.15, "beside a pool that loops: median, of alone");
	judge(true, median(p99, ROUNDS), 1.15,
		"beside a pool that loops: 99th percentile, of alone");
	judge(true, (cpu_s - alone_s) / (ROUNDS * ROUND_S) * 100, 2, "births: percent of a CPU");
	judge(false, (double)births, ROUNDS * WORKERS, "births in all: the pool does loop");
}

void prove_neighbours(void)
{
	struct window alone[ROUNDS], beside[ROUNDS];
	static struct flow flow;
	uint32_t steps;

	start();
	steps = steps_of(WORK_US);
	flow = (struct flow){ .brood = brood,
		.fn = job_work,
		.name = "job_work",
		.request = &steps,
		.request_size = sizeof steps,
		.per_second = JOBS,
		.random = true,
		.ended = ended };
	flow_open(&flow, NULL);
	measure(&flow, false); /* warms up */
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			beside[i] = measure(&flow, true);
		alone[i] = measure(&flow, false);
		if (i % 2 == 0)
			beside[i] = measure(&flow, true);
	}
	flow_close(&flow);
	report(alone, beside);
	if (brood_stop(brood))
		give_up("brood_stop: %s", brood_error());
}
