/* SPDX-License-Identifier: MIT */
/* request.h - the request of a job. */
#ifndef BROOD_WORKER_REQUEST_H
#define BROOD_WORKER_REQUEST_H

#include "job.h"

void request_unmap(struct brood_job *job);

#endif
