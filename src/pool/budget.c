/* SPDX-License-Identifier: MIT */
/* budget.c - see budget.h. */
#include "budget.h"

#include "../base/base.h"

#define RETRY 100u /* what one retry costs, in hundredths */
#define FULL  ((uint64_t)BUDGET_KEPT * RETRY)
/* In this time one hundredth of a retry is earned, which makes BUDGET_PER_S retries a second. */
#define STEP_NS (NS_PER_S / (BUDGET_PER_S * RETRY))

static void add(struct budget *b, uint64_t hundredths)
{
	b->left = MIN(b->left + MIN(hundredths, FULL), FULL);
}

static void begin(struct budget *b, uint64_t now)
{
	if (b->begun)
		return;
	b->begun = true;
	b->left = FULL;
	b->at_ns = now;
}

void budget_earn(struct budget *b, uint32_t percent, uint64_t jobs)
{
	uint64_t more = jobs - MIN(b->jobs, jobs);

	b->jobs = jobs;
	add(b, MIN(more, FULL) * percent);
}

bool budget_take(struct budget *b, uint64_t now)
{
	uint64_t steps;

	begin(b, now);
	steps = (now - MIN(b->at_ns, now)) / STEP_NS;
	b->at_ns += steps * STEP_NS;
	add(b, steps);
	if (b->left < RETRY)
		return false;
	b->left -= RETRY;
	return true;
}

bool budget_counts(const struct brood_verdict *v)
{
	return v->outcome != BROOD_CRASHED ||
		(v->detail != BROOD_DETAIL_OUTSIDE && v->detail != BROOD_DETAIL_OPERATOR);
}
