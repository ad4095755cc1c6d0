/* SPDX-License-Identifier: MIT */
/*
 * pools_shares.c - eight queues with the same load, each with a thread of its own, on a pool that
 * has fewer workers than there are queues. Its capacity is measured first. At 0.9 of the capacity a
 * queue's share is what is given to it; at twice the capacity it is an eighth of what is done. No
 * queue may be served less than 0.8 of its share in any second.
 *
 * Then one queue has normal jobs for twice the capacity, and background jobs for once the capacity:
 * the background gets one start in eight. All is measured on leases and by handoff. Jobs sleep, so
 * the capacity is that of the workers, and not of the CPUs.
 */
#include "pools.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define QUEUES  8
#define WORKERS 4
#define JOB_US  2000
#define WAITING 64 /* jobs of a kind that a queue has out at most; later ones are dropped */
#define FIRST_S 1  /* the seconds before are not judged: leases are on their way */
#define RUN_S   9
#define LEAST   20 /* so few jobs of a second say nothing about shares */

static struct brood *brood;
static struct flow flows[QUEUES];
static uint32_t path;

static int job_sleep(struct brood_job *job)
{
	(void)job;
	return nanosleep(&(struct timespec){ .tv_nsec = JOB_US * 1000 }, NULL) < 0;
}

static const char *path_name(void) { return path == BROOD_PATH_HANDOFF ? "handoff" : "lease"; }

static void open_flow(struct flow *f, double per_second, uint64_t seed)
{
	*f = (struct flow){ .brood = brood,
		.fn = job_sleep,
		.name = "job_sleep",
		.per_second = per_second,
		.random = true,
		.seed = seed,
		.out_most = WAITING,
		.job = { .dispatch = path } };
	flow_open(f, NULL);
}

static void close_flow(struct flow *f)
{
	if (f->refused)
		give_up("%llu jobs were refused: a queue was full", (unsigned long long)f->refused);
	flow_close(f);
}

/* Jobs that ended in a second: an average, without the seconds before FIRST_S. */
static double served(const struct flow *f)
{
	double sum = 0;

	for (int s = FIRST_S; s < RUN_S; s++)
		sum += f->ended_in[s][0] + f->ended_in[s][1];
	return sum / (RUN_S - FIRST_S);
}

static void *run(void *context)
{
	flow_run(context, RUN_S);
	return NULL;
}

static void run_all(double per_second)
{
	pthread_t threads[QUEUES];

	for (int q = 0; q < QUEUES; q++)
		open_flow(&flows[q], per_second, (uint64_t)q + 1);
	for (int q = 0; q < QUEUES; q++) {
		errno = pthread_create(&threads[q], NULL, run, &flows[q]);
		need(!errno, "pthread_create");
	}
	for (int q = 0; q < QUEUES; q++)
		pthread_join(threads[q], NULL);
	for (int q = 0; q < QUEUES; q++)
		close_flow(&flows[q]);
}

/* What all queues are served in a second, when there is always work. */
static double capacity(void)
{
	double all = 0;

	run_all(3e6 / JOB_US * WORKERS / QUEUES);
	for (int q = 0; q < QUEUES; q++)
		all += served(&flows[q]);
	return all;
}

/* The least of what a queue was served in a second, as a part of its share. */
static double least(bool overload)
{
	double worst = 1e9;

	for (int s = FIRST_S; s < RUN_S; s++) {
		double all = 0;

		for (int q = 0; q < QUEUES; q++)
			all += flows[q].ended_in[s][0];
		for (int q = 0; q < QUEUES; q++) {
			double share = overload ? all / QUEUES : flows[q].due_in[s][0];
			double part = flows[q].ended_in[s][0] / share;

			if (share >= LEAST && part < worst)
				worst = part;
		}
		if (all < LEAST * QUEUES)
			give_up("only %.0f jobs in a second: that says nothing", all);
	}
	return worst;
}

static void prove_load(double load, double full)
{
	double all = 0;

	run_all(full * load / QUEUES);
	printf("%s, load %.1f: jobs a second of each queue:", path_name(), load);
	for (int q = 0; q < QUEUES; q++) {
		printf(" %.0f", served(&flows[q]));
		all += served(&flows[q]);
	}
	printf("; in all %.0f of %.0f\n", all, full);
	judge(false, least(load > 1), 0.8,
		"%s, load %.1f, 8 queues: least in a second, of a queue's share", path_name(),
		load);
}

/* Normal jobs for twice the capacity, background jobs for once: every third is one. */
static void prove_background(double full)
{
	double lowest = 1e9, highest = 0;
	struct flow *f = &flows[0];

	open_flow(f, full * 3, 1);
	f->background_every = 3;
	flow_run(f, RUN_S);
	close_flow(f);
	for (int s = FIRST_S; s < RUN_S; s++) {
		double part = (double)f->ended_in[s][1] /
			((double)f->ended_in[s][0] + f->ended_in[s][1]);

		lowest = part < lowest ? part : lowest;
		highest = part > highest ? part : highest;
	}
	judge(false, lowest * 8, 0.95, "%s: background, least in a second, of an eighth",
		path_name());
	judge(true, highest * 8, 1.05, "%s: background, most in a second, of an eighth",
		path_name());
}

void prove_shares(void)
{
	static const uint32_t paths[] = { BROOD_PATH_LEASE, BROOD_PATH_HANDOFF };
	struct brood_options options = { .size = sizeof options, .workers = WORKERS, .log = quiet };

	if (brood_start(&options, &brood) || brood_wait_ready(brood, 30000))
		give_up("no pool: %s", brood_error());
	for (int i = 0; i < 2; i++) {
		double full;

		path = paths[i];
		full = capacity();
		prove_load(0.9, full);
		prove_load(2.0, full);
		prove_background(full);
	}
	if (brood_stop(brood))
		give_up("brood_stop: %s", brood_error());
}
