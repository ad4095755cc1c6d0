/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - the end of a job, as the engine is to hear it.
 */
#ifndef BROOD_SUPERVISOR_VERDICT_H
#define BROOD_SUPERVISOR_VERDICT_H

#include "record.h"

/* job->verdict has outcome, detail ...: fills in the rest, and the engine is told */
void verdict_give(struct job *job);
/* who it was and where */
void verdict_fill(struct job *job);
/* a job, or a request for a lease */
void verdict_refuse(struct job *job, enum brood_detail detail);
void verdict_refuse_all(struct pool *pool, enum brood_detail detail); /* of the queue */

#endif
