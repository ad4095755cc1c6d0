/* SPDX-License-Identifier: MIT */
/*
 * chaos_victims.h - which worker is in which slot, for the judge; and the signals that hit it.
 */
#ifndef BROOD_LOAD_CHAOS_VICTIMS_H
#define BROOD_LOAD_CHAOS_VICTIMS_H

#include "load.h"

struct victims;
/* NULL: no memory */
struct victims *victims_new(const struct options *o, struct tally *tally, pid_t supervisor);
struct victims *victims_free(struct victims *v);
/* Reads the births since the last time. */
void victims_read(struct victims *v);
/* The slot that a random number means: one of the slots that the pools have without spare ones. */
uint32_t victims_slot(const struct victims *v, uint64_t random);
uint32_t victims_slots(const struct victims *v); /* with spare ones */
/* The slot's worker, if it is as old as min_ms; 0: there is none. */
pid_t victims_worker(const struct victims *v, uint32_t slot, uint64_t min_ms);
/*
 * Each sends a signal to a worker. False: the process has ended, or is no worker. A kill is noted
 * in the tally before.
 */
bool victims_kill(struct victims *v, uint32_t slot, pid_t pid);
bool victims_stop(struct victims *v, pid_t pid);
void victims_go_on(struct victims *v, pid_t pid);
uint64_t victims_killed(const struct victims *v);

#endif
