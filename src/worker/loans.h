/* SPDX-License-Identifier: MIT */
/* loans.h - memory of the engine's that this worker has mapped to read requests: wire/ring.h. */
#ifndef BROOD_WORKER_LOANS_H
#define BROOD_WORKER_LOANS_H

#include "worker_lease.h"

struct brood_job;

/*
 * Maps the file that came with the next entry, and closes the fd. job NULL: the entry was
 * withdrawn, and the memory is for jobs behind it. False: it cannot be mapped.
 */
bool loans_take(const struct worker_lease *l, struct brood_job *job, int fd);
/* Finds the job's request in memory that is mapped. False: the memory is not mapped here. */
bool loans_use(const struct worker_lease *l, struct brood_job *job);
/* Unmaps what the engine uses no longer. */
void loans_look(const struct worker_lease *l);
void loans_drop(void); /* the lease is over: unmaps all */

#endif
