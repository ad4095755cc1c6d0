/* SPDX-License-Identifier: MIT */
/*
 * pools_day.c - a day in two minutes: jobs that sleep 20 ms, from 150 to 15,000 a second and back,
 * ten times, on a pool of 4 to 400 workers with 4 spare ones. The wait of a job is the time from
 * when it was due until its function began.
 */
#include "pools.h"
#include "../../tools/load/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S       120.0
#define TIMES       10
#define LOW         150.0
#define HIGH        15000.0
#define JOB_US      20000
#define WORKERS_MIN 4
#define WORKERS_MAX 400
#define SPARE       4
#define IDLE_MS     1000 /* a day has a few minutes in one second of ours */
#define SAMPLES     1400
#define COLUMNS     96
#define ROWS        20

static struct brood *brood;
static struct sample {
	double seconds, rate;
	uint32_t workers, ready, busy, queued;
} samples[SAMPLES];
static uint32_t samples_count;
static struct histogram *waits, *queued_us;

static int job_sleep(struct brood_job *job)
{
	uint64_t began = now_ns();

	nanosleep(&(struct timespec){ .tv_nsec = JOB_US * 1000 }, NULL);
	return brood_job_reply(job, &began, sizeof began) < 0;
}

static double rate(double seconds)
{
	return LOW + (HIGH - LOW) * (1 - cos(2 * M_PI * seconds * TIMES / DAY_S)) / 2;
}

static void ended(struct flow *flow, uint64_t due_ns, const struct brood_result *result)
{
	uint64_t began;

	(void)flow;
	if (result->verdict.outcome != BROOD_DONE || result->reply_size != sizeof began)
		return; /* the flow counts it */
	memcpy(&began, result->reply, sizeof began);
	histogram_add(waits, began > due_ns ? began - due_ns : 0);
	histogram_add(queued_us, result->verdict.queue_us);
}

static void tick(struct flow *flow, double seconds)
{
	struct brood_stats stats;

	(void)flow;
	if (samples_count == SAMPLES || brood_stats(brood, &stats))
		return;
	samples[samples_count++] = (struct sample){ .seconds = seconds,
		.rate = rate(seconds),
		.workers = stats.workers,
		.ready = stats.ready,
		.busy = stats.busy,
		.queued = stats.queued };
}

static void write_file(const char *name)
{
	FILE *file = fopen(name, "we");

	need(file != NULL, name);
	fputs("seconds,jobs_per_s,workers,ready,busy,queued\n", file);
	for (uint32_t i = 0; i < samples_count; i++) {
		const struct sample *s = &samples[i];

		fprintf(file, "%.1f,%.0f,%u,%u,%u,%u\n", s->seconds, s->rate, s->workers, s->ready,
			s->busy, s->queued);
	}
	need(fclose(file) == 0, name);
}

/* '#': the size that the pool has; '.': as many workers as the jobs keep busy. */
static void plot(void)
{
	for (int row = ROWS; row >= 1; row--) {
		char line[COLUMNS + 1] = "";

		for (uint32_t c = 0; c < COLUMNS; c++) {
			const struct sample *s = &samples[c * samples_count / COLUMNS];
			double at = (row - 0.5) * WORKERS_MAX / ROWS;

			line[c] = s->rate * JOB_US / 1e6 >= at ? '.' : s->workers >= at ? '#' : ' ';
			if (line[c] == '.' && s->workers < at)
				line[c] = '!'; /* there are fewer workers than the jobs keep busy */
		}
		printf("%4d |%s\n", row * WORKERS_MAX / ROWS, line);
	}
	printf("     +0 s %*.0f s\n", COLUMNS - 6, DAY_S);
}

static void start(void)
{
	struct brood_pool_options pool = { .size = sizeof pool,
		.name = "main",
		.workers = WORKERS_MAX,
		.scaling = BROOD_ELASTIC,
		.workers_min = WORKERS_MIN,
		.spare = SPARE,
		.idle_ms = IDLE_MS };
	const struct brood_pool_options *pools[] = { &pool };
	struct brood_options options = {
		.size = sizeof options, .pools = pools, .pools_count = 1, .log = quiet
	};

	waits = malloc(histogram_size());
	queued_us = malloc(histogram_size());
	need(waits && queued_us, "memory");
	histogram_init(waits);
	histogram_init(queued_us);
	if (brood_start(&options, &brood) || brood_wait_ready(brood, 30000))
		give_up("no pool: %s", brood_error());
}

static void report(const struct flow *flow, const struct brood_stats *stats)
{
	uint32_t smallest = UINT32_MAX, largest = 0;

	for (uint32_t i = 0; i < samples_count; i++) {
		largest = samples[i].workers > largest ? samples[i].workers : largest;
		smallest = samples[i].workers < smallest ? samples[i].workers : smallest;
	}
	plot();
	printf("%llu jobs, %llu not done, %llu refused; %u to %u workers; %llu births\n",
		(unsigned long long)flow->given, (unsigned long long)flow->not_done,
		(unsigned long long)flow->refused, smallest, largest,
		(unsigned long long)stats->spawned);
	printf("wait in ms: median %.3f, 99 %% %.3f, 99.9 %% %.3f, longest %.3f; as verdicts say: "
	       "99 %% %.3f\n",
		(double)histogram_quantile(waits, 0.5) / 1e6,
		(double)histogram_quantile(waits, 0.99) / 1e6,
		(double)histogram_quantile(waits, 0.999) / 1e6, (double)histogram_max(waits) / 1e6,
		(double)histogram_quantile(queued_us, 0.99) / 1e3);
	judge(true, (double)histogram_quantile(waits, 0.99) / 1e6, 50,
		"a day in two minutes: 99th percentile of the wait, in ms");
	judge(true, (double)(flow->not_done + flow->refused), 0,
		"a day in two minutes: jobs that were not done");
	judge(true, smallest, 40, "a day in two minutes: the smallest size");
}

void prove_day(const char *file)
{
	const struct brood_queue_options queue = { .size = sizeof queue, .jobs = 65536 };
	struct brood_stats stats;
	static struct flow flow;

	start();
	flow = (struct flow){ .brood = brood,
		.fn = job_sleep,
		.name = "job_sleep",
		.rate = rate,
		.random = true,
		.ended = ended,
		.tick = tick };
	flow_open(&flow, &queue);
	flow_run(&flow, DAY_S);
	flow_finish(&flow, 30);
	brood_stats(brood, &stats);
	flow_close(&flow);
	if (file)
		write_file(file);
	report(&flow, &stats);
	if (brood_stop(brood))
		give_up("brood_stop: %s", brood_error());
}
