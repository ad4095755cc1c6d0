/* SPDX-License-Identifier: MIT */
/* cancel.c - see cancel.h */
#include "cancel.h"
#include "deadline.h"
#include "verdict.h"

enum cancel_result cancel_job(struct supervisor *s, uint64_t id)
{
	struct job *job = record_find(s, id);

	if (!job || job->is_lease || job->link.state == RECORD_TOLD)
		/* Nothing to cancel: the id is a lease's, or the job has its verdict. */
		return CANCEL_NONE;
	if (job->link.state == RECORD_RUNNING && job->slot) {
		if (job->slot->link.state == SLOT_BUSY)
			deadline_hurry(job->slot, now_ns(), LADDER_CAUSE_CANCEL);
		return CANCEL_RUNS;
	}
	job->verdict = job->ran ? job->before : (struct brood_verdict){ 0 };
	job->verdict.outcome = BROOD_CANCELLED;
	job->verdict.detail = BROOD_DETAIL_NONE;
	job->verdict.signal = job->verdict.core = 0;
	verdict_give(job);
	return CANCEL_WAITED;
}
