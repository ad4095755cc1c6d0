/* SPDX-License-Identifier: MIT */
/* ring_job.h - one job on lease, from its entry in the ring to its completion; and LEFT. */
#ifndef BROOD_WORKER_RING_JOB_H
#define BROOD_WORKER_RING_JOB_H

#include "worker_lease.h"

void ring_job(struct worker_lease *l); /* does the job of the next entry */
/* Tells the engine which jobs are done. */
void ring_job_tell(struct worker_lease *l);
/*
 * Sends LEFT: the worker is back from its lease. flags: FINISHED_RETIRING, FINISHED_PLANNED. left:
 * the residue of the last job.
 */
void ring_job_left(const struct worker_lease *l, uint32_t flags, uint32_t left);
/* Sends LEFT and ends this worker, which is of no more use. */
void ring_job_retire(struct worker_lease *l, uint32_t left) __attribute__((noreturn));
/*
 * Looks for residue, if trusted jobs have put that off. Does not return if the residue costs the
 * worker: then the worker ends.
 */
void ring_job_look(struct worker_lease *l);

#endif
