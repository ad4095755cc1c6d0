/* SPDX-License-Identifier: MIT */
/*
 * pace.h - when each job of an open loop shall be sent. The plan is a list of stages, and the plan,
 * a seed and the number of the lane decide every time. No clock and no system call is here.
 *
 * A lane is a part of the plan that is served in order: one thread, or several threads that take
 * jobs from it in turn. N lanes together have the rate of the plan. With a constant rate lane I has
 * job I, I + N, I + 2N, ... of the whole plan; with random times (a Poisson process) each lane is
 * such a process of its own, and the lanes together are one, too.
 */
#ifndef BROOD_LOAD_PACE_H
#define BROOD_LOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_STAGES_MAX 16
#define PACE_NEVER      UINT64_MAX

struct pace_stage {
	double from, to; /* jobs a second, at the begin and at the end; straight between them */
	double seconds;
};
struct pace_plan {
	/* After the last stage its last rate stays. */
	struct pace_stage stage[PACE_STAGES_MAX];
	unsigned stages; /* 0: there is no plan, the loop is closed */
	bool poisson;
};

struct pace { /* one lane */
	struct pace_plan plan;
	double position; /* of its next job, in jobs of the whole plan */
	double step;     /* from one job of the lane to the next */
	uint64_t random;
	uint64_t number; /* of the lane's next job, from 0 */
	uint64_t next_ns;
};

/*
 * Reads a rate, such as 1000, 1000/s, 20k or 1.5M/s. Returns its end: the end of the text, or
 * `stop`. NULL: this is no rate.
 */
const char *pace_rate(const char *text, char stop, double *ret);
/* Each returns 0, or a negative number where the text is not of its form. */
int pace_parse_rate(const char *text, struct pace_plan *ret);  /* R[/s] */
int pace_parse_ramp(const char *text, struct pace_plan *ret);  /* FROM:TO:SEC */
int pace_parse_steps(const char *text, struct pace_plan *ret); /* R1,R2,...:SEC */

/* How many seconds the stages take. 0: there is one constant rate, which never ends. */
double pace_length(const struct pace_plan *plan);
/* How many jobs are planned before this time, in seconds after the begin. */
double pace_jobs(const struct pace_plan *plan, double seconds);
/* The time at which this number of jobs is reached; infinite: never. */
double pace_time(const struct pace_plan *plan, double jobs);

void pace_begin(
	struct pace *p, const struct pace_plan *plan, unsigned lane, unsigned lanes, uint64_t seed);
/* After the begin of the plan: when the lane's next job shall be sent. PACE_NEVER: there is none */
static inline uint64_t pace_next(const struct pace *p) { return p->next_ns; }
/* Goes on to the job after that. */
void pace_advance(struct pace *p);
/*
 * Passes over the lane's jobs that are planned before until_ns, `most` of them at most. Returns how
 * many.
 */
uint64_t pace_skip(struct pace *p, uint64_t until_ns, uint64_t most);

#endif
