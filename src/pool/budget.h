/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how many jobs may run again: a share of the jobs that were given, and BUDGET_PER_S a
 * second on top, so that a pool with few jobs has retries, too. At most BUDGET_KEPT are saved up.
 * So a load whose jobs all fail is not doubled by its own retries.
 */
#ifndef BROOD_POOL_BUDGET_H
#define BROOD_POOL_BUDGET_H

#include <brood.h>
#include <stdbool.h>
#include <stdint.h>

#define BUDGET_PER_S   10u
#define BUDGET_KEPT    100u
#define BUDGET_PERCENT 20u /* the default share */
#define BUDGET_MOST    10000u

/* All zero at first: then BUDGET_KEPT retries are saved up. */
struct budget {
	uint64_t left; /* in hundredths of a retry */
	uint64_t at_ns, jobs;
	bool begun;
};
/* jobs: how many were given in all, ever. percent: how many retries a hundred of them are worth. */
void budget_earn(struct budget *b, uint32_t percent, uint64_t jobs);
/* True: a retry is allowed, and was taken off what is left. */
bool budget_take(struct budget *b, uint64_t now);
/* True: a retry after this verdict needs the budget. A retry after a kill from outside does not. */
bool budget_counts(const struct brood_verdict *verdict);

#endif
