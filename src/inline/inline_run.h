/* SPDX-License-Identifier: MIT */
/* inline_run.h - one job, run in this process. */
#ifndef BROOD_INLINE_RUN_H
#define BROOD_INLINE_RUN_H

#include "../engine/engine_root.h"

/* The program's: its log callback is called for jobs. They must stay valid for good. */
void inline_run_options(const struct brood_options *options);
/* What jobs of this pool get by brood_get_init_data() from now on; it must stay valid. */
void inline_run_init_data(uint32_t pool, const struct brood_init_data *data);
/* What brood.run_here points to: runs the job here. 0: it runs, or is over; -errno. */
int inline_run(struct queue *l, struct queue_job *job, const struct given *given);

#endif
