/* SPDX-License-Identifier: MIT */
/*
 * pools.h - proofs about pools that look after themselves. Each prints its figures and the bounds
 * that they have to keep. tests/all/pools runs them.
 *
 *   pools.c             the command line, and what the proofs share
 *   pools_flow.c        gives jobs at the times of a schedule
 *   pools_neighbours.c  a pool under load beside a pool whose workers die at birth
 *   pools_shares.c      eight queues with the same load; background jobs beside normal ones
 *   pools_day.c         a pool that grows and shrinks with its load
 */
#ifndef BROOD_TESTS_POOLS_PROOF_H
#define BROOD_TESTS_POOLS_PROOF_H

#include <brood.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Ends the proof: it could not be made. */
void give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void need(bool holds, const char *what);
/* Prints a figure beside its bound. at_most: the figure may not be larger, else not smaller. */
void judge(bool at_most, double is, double bound, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void quiet(void *context, const struct brood_log *log); /* a log callback */
double median(double *values, uint32_t count);          /* sorts the values */

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- jobs at the times of a schedule (pools_flow.c) ---- */

#define FLOW_SECONDS 600 /* no flow runs for longer */

/*
 * A flow gives a job whenever one is due, whether or not earlier jobs have ended. So a slow pool
 * does not make its own load smaller, and a wait is counted from the time at which a job was due.
 */
struct flow {
	struct brood *brood;
	brood_fn *fn;
	const char *name; /* of fn */
	const void *request;
	size_t request_size;
	struct brood_job_options job;   /* queue, on_done, context and priority are the flow's */
	double (*rate)(double seconds); /* jobs a second at this time; NULL: per_second */
	double per_second;
	bool random;               /* the gaps are exponential; else even */
	uint32_t background_every; /* every so many-th job is a background job; 0: none is */
	/* A job that is due while so many of its kind are out is dropped. 0: none is dropped. */
	uint32_t out_most;
	/* A job has its verdict. due_ns: when it was due. */
	void (*ended)(struct flow *flow, uint64_t due_ns, const struct brood_result *result);
	void (*tick)(struct flow *flow, double seconds); /* called every 100 ms; or NULL */
	void *context;

	/* What came of it. Jobs that were due, and that ended, in each second; [1]: background. */
	uint32_t due_in[FLOW_SECONDS][2], ended_in[FLOW_SECONDS][2];
	uint64_t given, dropped, refused, not_done; /* refused: the queue or the pool was full */

	/* The flow's own. */
	struct brood_queue *queue;
	int fd;
	uint32_t out[2];
	uint64_t began_ns, due_ns, tick_ns, number, seed;
};

void flow_open(struct flow *flow, const struct brood_queue_options *queue);
/* Gives jobs for so long. Callbacks run in this thread. */
void flow_run(struct flow *flow, double seconds);
/* Waits until all jobs have ended. */
void flow_finish(struct flow *flow, double seconds);
/* Cancels what is out. */
void flow_close(struct flow *flow);

/* ---- the proofs ---- */

void prove_neighbours(void);
void prove_shares(void);
void prove_day(const char *file); /* file: for the size over time; or NULL */

#endif
