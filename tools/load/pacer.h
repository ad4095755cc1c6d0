/* SPDX-License-Identifier: MIT */
/*
 * pacer.h - the open loop at work. Threads draw planned jobs from a lane, wait until each is due,
 * and count which were late or never sent. pace.h decides the times.
 *
 * With --call call all threads share one lane, and so do other threads that block: whoever is free
 * takes the next job. Otherwise each thread has a lane of its own. In a closed loop there are no
 * lanes, and every job is due at once.
 */
#ifndef BROOD_LOAD_PACER_H
#define BROOD_LOAD_PACER_H

#include "histogram.h"
#include "pace.h"
#include "thresholds.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PACER_LATE_NS 1000000ull /* a job that is sent later than this after its time is late */

struct driver;
struct engine;
struct load_job;
struct options;
struct find_run;

struct pacing { /* options */
	struct pace_plan plan;
	double warm_up_s; /* after options_parse() never negative */
	struct thresholds fail_if, find_max;
	const struct find_run *found; /* --find-max: the search that led to this run */
};

struct pacer { /* one lane */
	pthread_mutex_t lock;
	struct pace pace;
	uint64_t begin_ns;
	unsigned lane, lanes;
	uint64_t left; /* -n: so many jobs more; UINT64_MAX: no end */
};

struct pacer_ticket { /* a job that a thread has drawn from its lane */
	bool held;
	uint64_t planned_ns; /* PACE_NEVER: the plan has no more jobs */
	uint64_t number;     /* of all jobs of the plan */
	bool beyond;         /* it is no job: planned_ns is the end of the run's time */
};

struct pacer_count { /* of a shard */
	/* of the jobs that were planned after the warm-up */
	uint64_t sent, late, late_most_ns, unsent;
	uint64_t verdicts; /* that came after the warm-up and before the end of the time */
};

/* How long the warm-up is if the user does not say. */
double pacer_warm_up(const struct options *o);
/* Begins the time of the run, and in an open loop makes the lanes. False: no memory. */
bool pacer_begin(struct engine *e);
/* Gives the thread its lane. */
void pacer_join(struct driver *d);
void pacer_end(struct engine *e);

/* In a paced thread, first of all: its sleeps end when they should. */
void pacer_thread(const struct driver *d);
/* True: the next job may be sent now. */
bool pacer_due(struct driver *d, uint64_t now);
/* True: the plan has no more jobs for this thread. */
bool pacer_over(struct driver *d, uint64_t now);
/* Sleeps until the next job is due or the run is over. Returns the time. */
uint64_t pacer_wait(struct driver *d);
/*
 * Sleeps until fd is readable, most_ms have passed, or, with may_send, the next job is due. Returns
 * like poll().
 */
int pacer_poll(struct driver *d, int fd, bool may_send, unsigned most_ms);
/* The drawn job is `job` from now on. */
void pacer_take(struct driver *d, struct load_job *job);
/* The job is sent at job->start_ns. */
void pacer_sent(struct driver *d, const struct load_job *job);
/* A verdict came at this time. Adds the job to the histograms, unless it belongs to the warm-up. */
void pacer_verdict(struct driver *d, const struct load_job *job, uint64_t now);
/* The thread gives no more jobs. Those of its lane that should have been sent count as unsent. */
void pacer_leave(struct driver *d);

#endif
