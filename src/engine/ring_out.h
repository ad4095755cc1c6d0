/* SPDX-License-Identifier: MIT */
/*
 * ring_out.h - jobs out of a worker's ring before they have begun. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_RING_OUT_H
#define BROOD_ENGINE_RING_OUT_H

struct queue;
struct queue_job;
struct lease;

/* Withdraws a job. 0: the job is NEW again, with its bytes; -EBUSY: it has begun; -ENOMEM. */
int ring_out_withdraw(struct lease *lease, struct queue_job *job);
/* Withdraws a job whose worker is gone. -ENOMEM: the job's bytes are lost. */
int ring_out_rescue(struct lease *lease, struct queue_job *job);
/* The job goes back to the queue, to be placed again. On a pinned lease it is refused. */
void ring_out_again(struct queue *l, struct queue_job *job);
/* The lease gets no new jobs. Jobs that have not begun go to other leases. */
void ring_out_all(struct lease *lease);

#endif
