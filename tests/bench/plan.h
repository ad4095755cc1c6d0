/* SPDX-License-Identifier: MIT */
/* plan.h - how plan.c, plan_crowd.c, plan_loan.c and plan_latency.c write down what to measure. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include "bench.h"

struct beside {
	struct reading floor;
	const char *name;
};

/* plan_add.c. A plan larger than its tables is a bug of this program: then they abort. */
struct group *add_group(struct plan *plan, const char *name, uint32_t modes);
uint32_t add_stand(struct group *g, const struct kind *kind, const struct params *p);
struct row *add_row(struct group *g, struct reading of, struct beside beside, const char *name, ...)
	__attribute__((format(printf, 4, 5)));
void say(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a bound to the row that was added last. */
void add_bound(struct group *g, enum mode mode, enum bound_kind kind, struct reading against,
	double limit, const char *what);

static inline struct reading first(uint32_t stand) { return (struct reading){ .stand = stand }; }

static inline struct beside beside(uint32_t stand, const char *name)
{
	return (struct beside){ first(stand), name };
}

/* plan_loan.c: requests that are not copied. */
void plan_loan(struct plan *plan);
/* plan_calls.c: jobs that make system calls. */
void plan_calls(struct plan *plan, bool quick);
/* plan_crowd.c: thousands of workers. */
void plan_crowd(struct plan *plan, uint32_t workers);
/* plan_latency.c: open loads. */
void plan_latency(struct plan *plan, bool quick);

#endif
