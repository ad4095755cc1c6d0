/* SPDX-License-Identifier: MIT */
/* reload.h - replaces all workers of a pool by new ones, and keeps the pool's init data. */
#ifndef BROOD_SUPERVISOR_RELOAD_H
#define BROOD_SUPERVISOR_RELOAD_H

#include "slot.h"

#include <inttypes.h>

/*
 * The engine gives numbers to its own reloads, and the supervisor to those of operators, with this
 * bit. In the log the latter have a "c" (control) before the number.
 */
#define RELOAD_BY_OPERATOR (UINT64_C(1) << 63)
#define RELOAD_TEXT        "%s%" PRIu64
#define RELOAD_NAME(id)    ((id)&RELOAD_BY_OPERATOR ? "c" : ""), ((id) & ~RELOAD_BY_OPERATOR)

void reload_prepare(struct pool *pool);
/* The engine or an operator asked for a reload. One that still goes on is superseded. */
void reload_begin(struct pool *pool, uint64_t id);
/* Sets the init data of workers that are born from now on. The pool owns its memfd and fds. */
void reload_set_init_data(struct pool *pool, const struct init_data *data);
/* Called when the slot's worker is ready: that may prove the pool's init data. */
void reload_ready(struct slot *slot);
/* Called when a worker ended before it was ready: the reload may fail. how: in words. */
void reload_birth_failed(struct slot *slot, const char *how);
/* Ends the reload if it is done. Tells the engine a result that it has not heard yet. */
void reload_step(struct pool *pool);
timer_fn reload_held_fired;

#endif
