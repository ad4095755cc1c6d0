/* SPDX-License-Identifier: MIT */
/*
 * verdict.c - verdicts of jobs that were handed off, and refusals. The callers know the outcome
 * (pool/fate.c); the verdicts of jobs on a lease are the engine's.
 */
#include "verdict.h"
#include "slot.h"
#include "status_page.h"

/*
 * Fills in what the verdict says of the job and its worker. If the job has no slot now, the worker
 * that an earlier attempt filled in stays.
 */
void verdict_fill(struct job *job)
{
	struct brood_verdict *v = &job->verdict;
	struct slot *slot = job->slot;
	uint64_t now = now_ns(), given = MIN(job->message.given_ns, now);

	v->size = sizeof *v;
	v->id = job->link.id;
	memcpy(v->name, job->message.name, sizeof v->name);
	v->attempts = job->message.attempt + job->attempts;
	if (slot) {
		v->path = BROOD_PATH_HANDOFF;
		v->queue_us = (job->assigned_ns - MIN(given, job->assigned_ns)) / NS_PER_US;
		v->pid = slot->pid ? slot->pid : v->pid;
		v->slot = slot->number;
		v->generation = slot->generation;
		v->run_us = (now - job->assigned_ns) / NS_PER_US;
	} else if (!job->ran) {
		v->queue_us = (now - given) / NS_PER_US;
	}
}

void verdict_give(struct job *job)
{
	struct brood_verdict *v = &job->verdict;

	/* After an attempt that ran, a refusal does not count: that attempt's verdict stands. */
	if (job->ran && v->outcome == BROOD_REFUSED)
		*v = job->before;
	verdict_fill(job);
	v->started |= job->ran;
	status_page_verdict(job);
	if (job->slot)
		slot_cut_job(job->slot);
	if (!job->replied)
		record_close_own_fds(job);
	count_one(&job->pool->stats_page->verdicts[v->outcome]);
	record_end(job);
}

void verdict_refuse(struct job *job, enum brood_detail detail)
{
	if (job->is_lease) {
		job->grant.over.detail = detail;
		record_end_lease(job, LEASE_REFUSED);
		return;
	}
	job->verdict = (struct brood_verdict){ .outcome = BROOD_REFUSED, .detail = detail };
	verdict_give(job);
}

void verdict_refuse_all(struct pool *pool, enum brood_detail detail)
{
	struct record_link *l;

	while ((l = records_parked(&pool->records)) || (l = records_paused(&pool->records)) ||
		(l = records_next(&pool->records)))
		verdict_refuse(record_of(l), detail);
}
