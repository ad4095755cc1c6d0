/* SPDX-License-Identifier: MIT */
/*
 * pool.h - the pool as a whole: how many workers it has, whether it is well, and how many core
 * files it may make.
 */
#ifndef BROOD_SUPERVISOR_POOL_H
#define BROOD_SUPERVISOR_POOL_H

#include "slot.h"

/* The slot with this number, of any pool. NULL: there is none. */
struct slot *pool_slot(struct supervisor *s, uint32_t number);
/* How many workers are ready: idle, busy or on lease. */
uint32_t pool_ready(const struct pool *pool);
/* How many workers the pool can have: less than its size while too many places are undead. */
uint32_t pool_possible(const struct pool *pool);
/* True: workers die at birth, or so many cannot die that the spare places are used up. */
bool pool_degraded(const struct pool *pool);
/* True: the pool is degraded, and no worker is ready that might do a job after all. */
bool pool_hopeless(const struct pool *pool);
/* Writes the pool's gauges to its stats page. */
void pool_count(struct pool *pool);
/* True: a worker may make a core file: fewer than the limit were made in this minute. */
bool pool_cores_allowed(struct pool *pool, uint64_t now);
void pool_count_core(struct pool *pool, uint64_t now);  /* a core file was made */
void pool_adjust_core(struct slot *slot, uint64_t now); /* sets the worker's RLIMIT_CORE */
timer_fn pool_cores_fired;
/*
 * The slot's worker is well, so births make sense again: ends the pause and the degraded state.
 * what: a verb for the log, as in "workers ... again".
 */
void pool_worker_is_well(struct slot *slot, const char *what);

#endif
