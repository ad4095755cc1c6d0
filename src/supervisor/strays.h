/* SPDX-License-Identifier: MIT */
/*
 * strays.h - processes that jobs left outside of their workers.
 */
#ifndef BROOD_SUPERVISOR_STRAYS_H
#define BROOD_SUPERVISOR_STRAYS_H

#include "slot.h"

void strays_sweep_soon(struct supervisor *s);
timer_fn strays_sweep_fired;
/* how many there were: killed now, or still on their way */
uint32_t strays_sweep(struct supervisor *s);
void strays_reap(struct supervisor *s);
/* the same as a sweep, when all workers are gone; 0: nothing of a job's is left */
uint32_t strays_end(struct supervisor *s);
/* the stop has waited for them as long as it may */
bool strays_given_up(const struct supervisor *s, uint64_t now);
void strays_end_closers(struct supervisor *s); /* at our own end */
pid_t strays_fork_of_engine(struct supervisor *s);
bool strays_known(void *supervisor, pid_t pid);
/* it carries the workers' mark */
bool strays_is_jobs(struct supervisor *s, pid_t pid);

#endif
