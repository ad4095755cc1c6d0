/* SPDX-License-Identifier: MIT */
/* latency.c - see latency.h. */
#include "latency.h"

#include "arrivals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define NS_PER_S      1000000000ull
#define LATE_S        60      /* a job without an answer for this long fails the run */
#define SPIN_UNTIL_NS 1000000 /* jobs that take longer sleep */

static struct {
	struct arrival *arrivals;
	uint64_t *took, *ideal;
	uint32_t count, blocks;
	_Atomic uint32_t next, over;
	uint64_t begin;
} load;

static struct {
	pthread_barrier_t begin, end;
	void (*one)(const struct latency_job *job, uint32_t thread);
} threads;

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S) };
}

void latency_work(const struct latency_job *job)
{
	uint64_t until = now_ns() + job->takes_ns;
	struct timespec t = time_of(until);

	if (job->takes_ns > SPIN_UNTIL_NS) {
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
			;
		return;
	}
	while (now_ns() < until)
		;
}

void latency_over(uint32_t number)
{
	if (number >= load.count || load.took[number])
		station_fail("an answer to no job: %u", number);
	load.took[number] = now_ns() - load.begin - load.arrivals[number].at_ns;
	atomic_fetch_add(&load.over, 1);
}

void latency_open(const struct params *p)
{
	load.count = p->fixed;
	load.arrivals = calloc(load.count, sizeof *load.arrivals);
	load.took = calloc(load.count, sizeof *load.took);
	load.ideal = calloc(load.count, sizeof *load.ideal);
	station_need(load.arrivals && load.took && load.ideal, "calloc");
	/* Timers are to fire when they are due, not up to 50 us later. */
	station_need(!prctl(PR_SET_TIMERSLACK, 1), "PR_SET_TIMERSLACK");
}

/* The same block has the same arrivals in all stations. */
static void begin_block(const struct params *p)
{
	arrivals_make(load.arrivals, load.count, p->rate, p->heavy, ++load.blocks);
	arrivals_ideal(load.arrivals, load.count, p->workers, load.ideal);
	memset(load.took, 0, load.count * sizeof *load.took);
	atomic_store(&load.next, 0);
	atomic_store(&load.over, 0);
	load.begin = now_ns();
}

/* The first fifth of the load is its warm-up. */
static void end_block(double *values)
{
	struct arrivals_tail took = arrivals_tail(
		load.arrivals, load.count / 5, load.count, load.took);
	struct arrivals_tail ideal = arrivals_tail(
		load.arrivals, load.count / 5, load.count, load.ideal);

	values[LATENCY_P99] = (double)took.p99_ns / 1000;
	values[LATENCY_P999] = (double)took.p999_ns / 1000;
	values[LATENCY_MEDIAN] = (double)took.median_ns / 1000;
	values[LATENCY_LONGEST] = (double)took.longest_ns / 1000;
	values[LATENCY_IDEAL_P99] = (double)ideal.p99_ns / 1000;
	values[LATENCY_IDEAL_P999] = (double)ideal.p999_ns / 1000;
}

static struct latency_job job_of(uint32_t number)
{
	return (struct latency_job){ .number = number, .takes_ns = load.arrivals[number].takes_ns };
}

/* ---- one thread ---- */

/* Gives all jobs that are due. Returns the time until the next one is; a bound if there is none. */
static uint64_t give_due(const struct latency_loop *loop)
{
	uint32_t next = atomic_load(&load.next);
	uint64_t passed = now_ns() - load.begin;

	while (next < load.count && load.arrivals[next].at_ns <= passed) {
		struct latency_job job = job_of(next++);

		atomic_store(&load.next, next);
		loop->give(&job);
		passed = now_ns() - load.begin;
	}
	return next < load.count ? load.arrivals[next].at_ns - passed : LATE_S * NS_PER_S;
}

void latency_run_loop(const struct params *p, const struct latency_loop *loop, double *values)
{
	struct pollfd poll_fd = { .fd = loop->fd, .events = POLLIN };

	begin_block(p);
	while (atomic_load(&load.over) < load.count) {
		struct timespec t = time_of(give_due(loop));
		int r = ppoll(&poll_fd, 1, &t, NULL);

		station_need(r >= 0 || errno == EINTR, "ppoll");
		if (r > 0)
			loop->collect();
		else if (r == 0 && atomic_load(&load.next) == load.count)
			station_fail("%u jobs have no answer", load.count - load.over);
	}
	end_block(values);
}

/* ---- many threads ---- */

static void *run(void *context)
{
	uint32_t number = (uint32_t)(uintptr_t)context;

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		pthread_barrier_wait(&threads.begin);
		for (;;) {
			uint32_t next = atomic_fetch_add(&load.next, 1);
			struct latency_job job;
			struct timespec t;

			if (next >= load.count)
				break;
			job = job_of(next);
			t = time_of(load.begin + load.arrivals[next].at_ns);
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
			threads.one(&job, number);
			latency_over(next);
		}
		pthread_barrier_wait(&threads.end);
	}
	return NULL;
}

static void open_threads(const struct params *p)
{
	pthread_t thread;

	station_need(!pthread_barrier_init(&threads.begin, NULL, p->threads + 1) &&
			!pthread_barrier_init(&threads.end, NULL, p->threads + 1),
		"threads");
	for (uint32_t i = 0; i < p->threads; i++) {
		errno = pthread_create(&thread, NULL, run, (void *)(uintptr_t)i);
		station_need(!errno, "pthread_create");
	}
}

void latency_run_threads(const struct params *p,
	void (*one)(const struct latency_job *job, uint32_t thread), double *values)
{
	if (!threads.one) {
		threads.one = one;
		open_threads(p);
	}
	begin_block(p);
	pthread_barrier_wait(&threads.begin);
	pthread_barrier_wait(&threads.end);
	end_block(values);
}
