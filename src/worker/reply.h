/* SPDX-License-Identifier: MIT */
/* reply.h - the reply of a job. */
#ifndef BROOD_WORKER_REPLY_H
#define BROOD_WORKER_REPLY_H

#include "../wire/ring.h"
#include "job.h"

void reply_begin(struct brood_job *job);
/* seals it, and says BACK when there is something to send */
void reply_finish(struct brood_job *job, struct ring_done *done);

#endif
