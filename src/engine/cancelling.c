/* SPDX-License-Identifier: MIT */
/* cancelling.c - see cancelling.h */
#include "cancelling.h"

#include "engine_root.h"
#include "leasing.h"
#include "out.h"
#include "outcome.h"
#include "queue_jobs.h"
#include "ring_out.h"
#include "stream.h"
#include "wishes.h"

void cancelling_job(struct queue *l, struct queue_job *job)
{
	struct brood_verdict v;

	job->tries.cancelled = true;
	switch (job->state) {
	case JOB_HERE: return; /* inline mode runs the job in this process: nothing can end it */
	case JOB_RINGED:
		if (ring_out_withdraw(job->lease, job) < 0) {
			leasing_kill(job->lease, job->sequence, LEASE_KILL_CANCEL);
			return;
		}
		break;
	case JOB_STREAMED: stream_cancel(l, job); return;
	default: break;
	}
	v = outcome_made_up(BROOD_CANCELLED, BROOD_DETAIL_NONE, job->given_ns);
	queue_jobs_close(l, job, &v);
}

static void answer(struct queue *l, uint32_t number, bool found)
{
	struct brood *b = l->brood;
	enum message_type type;
	struct frame f;
	uint64_t id;

	engine_lock(b);
	type = wishes_looked(b, number, found, &id);
	if (type && !b->lost) {
		frame_begin(&f, type)->about.id = id;
		out_send(b, &f, 0, 0);
	}
	engine_unlock(b);
}

static uint64_t wished(struct brood *b, uint32_t number)
{
	uint64_t id;

	engine_lock(b);
	id = b->wishes.list[number].id;
	engine_unlock(b);
	return id;
}

void cancelling_wishes(struct queue *l, uint32_t wishes)
{
	for (uint32_t i = 0; i < WISHES_MAX; i++) {
		struct queue_job *job;
		bool found;

		if (!(wishes & 1u << i))
			continue;
		job = queue_jobs_find(l, wished(l->brood, i));
		found = job && cancelling_may(job);
		if (found)
			cancelling_job(l, job);
		answer(l, i, found);
	}
}
