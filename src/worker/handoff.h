/* SPDX-License-Identifier: MIT */
/* handoff.h - one job that came through the supervisor, from RUN to FINISHED. */
#ifndef BROOD_WORKER_HANDOFF_H
#define BROOD_WORKER_HANDOFF_H

#include "../wire/frame.h"

void handoff_job(struct frame *f);

#endif
