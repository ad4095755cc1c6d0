/* SPDX-License-Identifier: MIT */
/* inline_run.h - one job, run in this process. */
#ifndef BROOD_INLINE_RUN_H
#define BROOD_INLINE_RUN_H

#include "../engine/engine_root.h"

/* whose log callback hears of jobs; valid for good */
void inline_run_options(const struct brood_options *options);
/* brood.run_here */
int inline_run(struct queue *l, struct queue_job *job, const struct given *given);

#endif
