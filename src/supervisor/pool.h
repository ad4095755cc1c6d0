/* SPDX-License-Identifier: MIT */
/*
 * pool.h - the pool as a whole: how many workers it has, whether it is well, and how many core
 * files it may make.
 */
#ifndef BROOD_SUPERVISOR_POOL_H
#define BROOD_SUPERVISOR_POOL_H

#include "slot.h"

struct slot *pool_slot(struct supervisor *s, uint32_t number); /* NULL: there is none */
/* workers that are there, idle or not */
uint32_t pool_ready(const struct pool *pool);
/* how many workers it can have: less than its size while too many places are undead */
uint32_t pool_possible(const struct pool *pool);
/* Workers die at birth; or so many cannot die that the spare places are used up. */
bool pool_degraded(const struct pool *pool);
/* Degraded, and nobody there who might do a job after all. */
bool pool_hopeless(const struct pool *pool);
/* its numbers, to the stats page */
void pool_count(struct pool *pool);
/* Core files a minute: past the limit workers may make none until the minute is over. */
bool pool_cores_allowed(struct pool *pool, uint64_t now);
void pool_count_core(struct pool *pool, uint64_t now);  /* one was made */
void pool_adjust_core(struct slot *slot, uint64_t now); /* its limit, as it is to be now */
timer_fn pool_cores_fired;
/* This worker is well, and a reason for others to be born again. what: workers do, for the log */
void pool_worker_is_well(struct slot *slot, const char *what);

#endif
