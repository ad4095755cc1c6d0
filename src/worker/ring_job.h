/* SPDX-License-Identifier: MIT */
/* ring_job.h - one job on lease, from its entry in the ring to its completion. */
#ifndef BROOD_WORKER_RING_JOB_H
#define BROOD_WORKER_RING_JOB_H

#include "worker_lease.h"

void ring_job(struct worker_lease *l); /* the next entry */

#endif
