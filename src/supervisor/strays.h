/* SPDX-License-Identifier: MIT */
/* strays.h - kills processes that jobs left outside of their workers. */
#ifndef BROOD_SUPERVISOR_STRAYS_H
#define BROOD_SUPERVISOR_STRAYS_H

#include "slot.h"

void strays_sweep_soon(struct supervisor *s);
timer_fn strays_sweep_fired;
/*
 * The slot's worker says that a job made system calls. The job may have made a child with
 * CLONE_PARENT, whose parent is then the supervisor: asks for a sweep.
 */
void strays_called(struct slot *slot);
/* Kills strays. Returns how many there were: killed now, or still about to end. */
uint32_t strays_sweep(struct supervisor *s);
void strays_reap(struct supervisor *s);
/*
 * The last sweep of a stop, when all workers are gone: kills strays, and hunts where a sweep may
 * miss some. Returns how many there were; 0: nothing of a job is left.
 */
uint32_t strays_end(struct supervisor *s);
/* True: the stop has waited for the strays as long as it may. */
bool strays_given_up(const struct supervisor *s, uint64_t now);
/* Ends the helpers that close files, at the supervisor's end. */
void strays_end_closers(struct supervisor *s);
pid_t strays_fork_of_engine(struct supervisor *s);
bool strays_known(void *supervisor, pid_t pid);
/* True: the process is a job's: by its mark, its oom_score_adj or its session. */
bool strays_is_jobs(struct supervisor *s, pid_t pid);

#endif
