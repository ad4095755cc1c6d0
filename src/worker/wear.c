/* SPDX-License-Identifier: MIT */
/*
 * wear.c - see wear.h.
 *
 * Memory is looked at after a job, at most once in WEAR_LOOK_MS, so a job pays for a comparison.
 * The cheap figure (statm) comes first. Only near the limit the kernel is asked to walk the page
 * tables (smaps_rollup): that takes a millisecond for each 250 MB.
 */
#include "wear.h"

#include "../pool/retire.h"
#include "job.h"
#include "library_call.h"
#include "memory.h"
#include "report.h"
#include "worker.h"

#define WEAR_LOOK_MS 100u

AT_BIRTH struct wear the_wear = { .jobs_left = UINT64_MAX, .look_ns = TIME_NEVER };

static struct {
	uint64_t cheap_kb, exact_kb; /* the memory of the worker when it became ready */
	bool said;
} before;

void wear_ready(void)
{
	const struct worker_config *c = the_worker.config;

	the_wear.once = c->retire_jobs == 1;
	the_wear.jobs_left = c->retire_jobs ? c->retire_jobs : UINT64_MAX;
	if (c->retire_memory_kb == 0)
		return;
	before.cheap_kb = memory_anonymous_kb(false);
	before.exact_kb = memory_anonymous_kb(true);
	the_wear.look_ns = 0;
}

static struct frame *worn(struct frame *f, uint32_t why)
{
	frame_begin(f, MESSAGE_WORN)->about.id = why;
	return f;
}

static void say(uint32_t why)
{
	struct frame f;

	the_wear.jobs_left = UINT64_MAX;
	the_wear.look_ns = TIME_NEVER;
	if (!before.said)
		report_send(worn(&f, why));
	before.said = true;
}

static uint64_t grown_kb(bool exact)
{
	uint64_t kb = memory_anonymous_kb(exact), was = exact ? before.exact_kb : before.cheap_kb;

	return kb - MIN(kb, was);
}

void wear_look(uint64_t now)
{
	const uint64_t limit_kb = the_worker.config->retire_memory_kb;

	if (the_wear.jobs_left == 0) {
		say(WORN_JOBS);
		return;
	}
	the_wear.look_ns = time_after_ms(now, WEAR_LOOK_MS);
	if (retire_memory(limit_kb, grown_kb(false), false) == RETIRE_LOOK_CLOSER &&
		retire_memory(limit_kb, grown_kb(true), true) == RETIRE_DUE)
		say(WORN_MEMORY);
}

/*
 * The supervisor is told while the job still runs, not at its end: so the replacement of this
 * worker may be ready when the job ends.
 */
int brood_job_retire(struct brood_job *job) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	struct frame f;
	int r;

	if (job->in_line)
		return -ENOTSUP;
	if (!worker_is_self())
		return -EPERM; /* the caller is a child of the job: the channel is not its own */
	if (before.said)
		return 0;
	r = frame_send(the_worker.config->channel_fd, worn(&f, WORN_WISH));
	before.said = r == 0;
	return r < 0 ? -EAGAIN : 0;
}
