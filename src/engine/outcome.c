/* SPDX-License-Identifier: MIT */
/*
 * outcome.c - the verdicts of jobs that no worker gets, and whether a job is tried again.
 *
 * One log line says what a stop dropped (ending.c): how many jobs, and which was the first.
 */
#include "outcome.h"

#include "engine_root.h"
#include "given.h"
#include "sums.h"

#include "../base/printable.h"
#include "../pool/fate.h"

bool outcome_may_again(const struct tries *t, const struct brood_verdict *v)
{
	return t->left > 0 && !t->cancelled && fate_retryable(v, t->on);
}

void outcome_again(struct tries *t, const struct brood_verdict *v)
{
	t->left--;
	t->pause = t->pause_ms > 0;
	t->ran = true;
	t->before = *v;
}

/* If an attempt ran, "refused" and "not started" would not be true of the job. */
void outcome_of_tries(const struct tries *t, struct brood_verdict *v)
{
	if (t->ran && v->outcome == BROOD_REFUSED)
		*v = t->before;
	v->started |= t->ran;
}

struct brood_verdict outcome_made_up(
	enum brood_outcome outcome, enum brood_detail detail, uint64_t given_ns)
{
	uint64_t now = now_ns();

	return (struct brood_verdict){ .size = sizeof(struct brood_verdict),
		.outcome = outcome,
		.detail = detail,
		.queue_us = (now - MIN(given_ns, now)) / NS_PER_US };
}

struct brood_verdict outcome_of_error(int error)
{
	switch (error) {
	case -ENOTCONN: return outcome_made_up(BROOD_LOST, BROOD_DETAIL_CHANNEL, TIME_NEVER);
	case -EFAULT: return outcome_made_up(BROOD_REFUSED, BROOD_DETAIL_BAD_POINTER, TIME_NEVER);
	case -EAGAIN: return outcome_made_up(BROOD_REFUSED, BROOD_DETAIL_QUEUE_FULL, TIME_NEVER);
	case -ESTALE: return outcome_made_up(BROOD_REFUSED, BROOD_DETAIL_LEASE_OVER, TIME_NEVER);
	case -EKEYREJECTED:
		return outcome_made_up(BROOD_REFUSED, BROOD_DETAIL_POISONED, TIME_NEVER);
	case -EMFILE:
	case -ENFILE: return outcome_made_up(BROOD_REFUSED, BROOD_DETAIL_FD_LOST, TIME_NEVER);
	default: return outcome_made_up(BROOD_REFUSED, BROOD_DETAIL_NONE, TIME_NEVER);
	}
}

int outcome_refused(struct brood_pool *pool, int error)
{
	struct brood_verdict v;

	if (error != -EAGAIN && error != -EFAULT && error != -EKEYREJECTED)
		return error;
	v = outcome_of_error(error);
	sums_elsewhere(pool, v.outcome, v.detail);
	return error;
}

void outcome_count_drop(
	struct brood *b, const struct brood_verdict *v, const char *name, const char *tag)
{
	struct drops *d = &b->drops;

	if (v->outcome != BROOD_REFUSED && v->outcome != BROOD_LOST)
		return;
	if (!atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return;
	if (atomic_fetch_add(&d->count, 1) > 0)
		return;
	d->first = v->id;
	given_name(d->name, name);
	printable_copy(d->tag, sizeof d->tag, tag ? tag : "");
}
