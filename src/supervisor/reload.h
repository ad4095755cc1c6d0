/* SPDX-License-Identifier: MIT */
/*
 * reload.h - a rolling new generation of a pool's workers, and the init data that it is born with.
 */
#ifndef BROOD_SUPERVISOR_RELOAD_H
#define BROOD_SUPERVISOR_RELOAD_H

#include "slot.h"

void reload_prepare(struct pool *pool);
/* The engine asked for it. One that still goes on is superseded. */
void reload_begin(struct pool *pool, uint64_t id);
/* Init data for workers that are born from now on. What it has is the pool's. */
void reload_set_init_data(struct pool *pool, const struct init_data *data);
/* Its worker is ready. */
void reload_ready(struct slot *slot);
/* Its worker ended before it was ready. how: in words */
void reload_birth_failed(struct slot *slot, const char *how);
/* Is it done? Tells the engine what it is still to be told. */
void reload_step(struct pool *pool);
timer_fn reload_held_fired;

#endif
