/* SPDX-License-Identifier: MIT */
/* inline_run.h - runs one job in this process. */
#ifndef BROOD_INLINE_RUN_H
#define BROOD_INLINE_RUN_H

#include "../engine/engine_root.h"

/*
 * Sets the program's options. Log lines of jobs go to the log callback in them. The options must
 * stay valid until the process ends.
 */
void inline_run_options(const struct brood_options *options);
/* Sets the init data for jobs of this pool from now on. The data must stay valid. */
void inline_run_init_data(uint32_t pool, const struct brood_init_data *data);
/* brood.run_here points to this: runs the job here. 0: the job runs, or is over; -errno. */
int inline_run(struct queue *l, struct queue_job *job, const struct given *given);

#endif
