/* SPDX-License-Identifier: MIT */
/*
 * intake.c - jobs and requests for leases, as they come from the engine. Each takes the record that
 * its id names. The engine's memory may be damaged: a message that makes no sense is logged and
 * dropped.
 */
#include "intake.h"
#include "deadline.h"
#include "logging.h"
#include "verdict.h"
#include "waiting.h"

static bool sane(const struct frame *f)
{
	const struct message_job *m = &f->job;

	return m->id != 0 && (m->fn != 0) != (m->plugin_size != 0) &&
		m->arg_size <= BROOD_ARG_MAX && m->plugin_size <= m->arg_size;
}

void intake_job(struct pool *pool, struct frame *f)
{
	struct supervisor *s = pool->supervisor;
	struct job *job;

	if (!sane(f) || !(job = record_of(records_claim(&pool->records, f->job.id)))) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine gave a job that makes no sense; its library's memory is "
			"damaged");
		return;
	}
	record_begin(pool, job, &f->job);
	memcpy(job->arg, frame_rest(f), f->job.arg_size);
	record_take_fds(job, f);
	if (job->fds_count < f->header.fds)
		verdict_refuse(job, BROOD_DETAIL_FD_LOST);
	else if (s->halt.phase != HALT_NONE)
		verdict_refuse(job, BROOD_DETAIL_DRAINING);
	else
		waiting_enter(job);
}

void intake_lease(struct pool *pool, struct frame *f)
{
	struct supervisor *s = pool->supervisor;
	const struct message_job m = {
		.id = f->lease.id, .given_ns = f->lease.given_ns, .queue_ms = f->lease.queue_ms
	};
	struct job *job = f->lease.lease_page < s->config.shared->lease_pages_count
		? record_of(records_claim(&pool->records, m.id))
		: NULL;

	if (!job) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine asked for a lease in a way that makes no sense; its library's "
			"memory is damaged");
		return;
	}
	record_begin(pool, job, &m);
	job->is_lease = true;
	job->lease = f->lease;
	memset(&job->grant, 0, sizeof job->grant);
	record_take_fds(job, f);
	if (job->fds_count < LEASE_FDS)
		verdict_refuse(job, BROOD_DETAIL_FD_LOST);
	else if (s->halt.phase >= HALT_CANCEL)
		verdict_refuse(job, BROOD_DETAIL_DRAINING);
	else
		waiting_enter(job); /* also in DRAIN: the engine's queues drain, too */
}

void intake_cancel(struct pool *pool, uint64_t id)
{
	struct job *job = record_of(records_find(&pool->records, id));

	if (!job || job->is_lease || job->link.state == RECORD_TOLD)
		return; /* the job has its verdict: that is the answer */
	if (job->link.state == RECORD_RUNNING && job->slot) {
		if (job->slot->link.state == SLOT_BUSY)
			deadline_hurry(job->slot, now_ns(), LADDER_CAUSE_CANCEL);
		return;
	}
	job->verdict = job->ran ? job->before : (struct brood_verdict){ 0 };
	job->verdict.outcome = BROOD_CANCELLED;
	job->verdict.detail = BROOD_DETAIL_NONE;
	job->verdict.signal = job->verdict.core = 0;
	verdict_give(job);
}
