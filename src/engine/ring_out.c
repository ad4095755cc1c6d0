/* SPDX-License-Identifier: MIT */
/* ring_out.c - jobs out of a worker's ring before they have begun, to be placed again. */
#include "ring_out.h"

#include "caller.h"
#include "leasing.h"
#include "lease_state.h"
#include "side.h"
#include "queue_jobs.h"
#include "queue_waiting.h"

#include <stdlib.h>

/* Copies the job's bytes out of the ring, if the job has no copy. */
static int take_bytes(struct queue_job *job, const struct lease *lease)
{
	const struct ring_entry *entry = &lease->down->entries[job->sequence % RING_DEPTH];
	size_t request = job->inline_size;

	if (job->bytes || job->arg_size + request == 0)
		return 0;
	job->bytes = malloc(job->arg_size + request);
	if (!job->bytes)
		return -ENOMEM;
	memcpy(job->bytes, lease->down->bytes + entry->arg_at, job->arg_size);
	memcpy(job->bytes + job->arg_size, lease->down->bytes + entry->request_at, request);
	return 0;
}

/* Drops what came over the side socket from an attempt that is not the last. */
static void forget_back(struct queue_job *job)
{
	job->reply.came = false;
	job->reply.memfd = close_fd(job->reply.memfd);
	job->reply.fds = job->reply.fds ? queue_jobs_fds_free(job->reply.fds) : NULL;
	job->result.fds = NULL;
	job->result.fds_count = 0;
}

int ring_out_withdraw(struct lease *lease, struct queue_job *job)
{
	int r = take_bytes(job, lease);

	if (r < 0)
		return r;
	if (!ring_withdraw(lease->up->dones, job->sequence))
		return -EBUSY;
	side_take_back(lease, job);
	if (lease->queue->kind == QUEUE_CALLERS)
		caller_unringed(lease, job);
	queue_jobs_unring(job);
	forget_back(job);
	job->tries.made--; /* no worker has seen this attempt */
	return 0;
}

int ring_out_rescue(struct lease *lease, struct queue_job *job)
{
	int r = take_bytes(job, lease);

	side_take_back(lease, job);
	if (lease->queue->kind == QUEUE_CALLERS)
		caller_unringed(lease, job);
	queue_jobs_unring(job);
	forget_back(job);
	return r;
}

void ring_out_again(struct queue *l, struct queue_job *job)
{
	if (job->tries.cancelled) {
		struct brood_verdict v = { .outcome = BROOD_CANCELLED };

		queue_jobs_close(l, job, &v);
	} else if (l->kind == QUEUE_PINNED) {
		queue_jobs_refuse(l, job, BROOD_DETAIL_LEASE_OVER);
	} else {
		queue_waiting_add(l, job, true);
	}
}

/* Goes from the last job to the first, and puts each to the front: the old order stays. */
void ring_out_all(struct lease *lease)
{
	struct queue *l = lease->queue;

	if (lease->state != LEASE_ACTIVE)
		return;
	leasing_out_of_use(lease);
	lease->state = LEASE_DYING;
	for (uint64_t q = lease->published; q > lease->collected; q--) {
		struct queue_job *job = lease->entries[q % RING_DEPTH].job;

		if (job && ring_out_withdraw(lease, job) == 0)
			ring_out_again(l, job);
	}
}
