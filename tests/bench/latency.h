/* SPDX-License-Identifier: MIT */
/*
 * latency.h - how late answers come under an open load (arrivals.h). Each job has its time, whether
 * or not the jobs before it are done, and its latency counts from that time: a sender that comes
 * late is part of the latency.
 *
 * latency.c has the loads and the two senders: one thread in an event loop, or many threads of
 * which whoever is free gives the next job. latency_pool.c has the control, plain forked workers on
 * one shared socket; latency_ways.c has the library. Short jobs keep their CPU busy, and long ones
 * sleep: with all of them at work, two CPUs could not do the load.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "bench.h"

/* What a job is told, and what it answers. */
struct latency_job {
	uint32_t number, pad;
	uint64_t takes_ns;
};

/* A way for an event loop. */
struct latency_loop {
	int fd; /* readable when collect() has something to do */
	void (*give)(const struct latency_job *job);
	void (*collect)(void);
};

/* In a worker: as long as the job takes. */
void latency_work(const struct latency_job *job);
/* The answer to this job is there. */
void latency_over(uint32_t number);

/* Run a block: the whole load. */
void latency_run_loop(const struct params *p, const struct latency_loop *loop, double *values);
/* one: gives the job, and returns when its answer is there. */
void latency_run_threads(const struct params *p,
	void (*one)(const struct latency_job *job, uint32_t thread), double *values);
/* Before the first block, in the process that gives. */
void latency_open(const struct params *p);

#endif
