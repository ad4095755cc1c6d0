/* SPDX-License-Identifier: MIT */
/*
 * size.h - the size of a pool at run time: it grows and shrinks as pool/sizing.h says.
 */
#ifndef BROOD_SUPERVISOR_SIZE_H
#define BROOD_SUPERVISOR_SIZE_H

#include "root.h"

/* Brings the pool nearer to its size. Called after any change of what the pool does. */
void size_step(struct pool *pool);
timer_fn size_timer_fired;
/*
 * True: the pool has more workers than it is to have. A worker whose job is over then ends before
 * it gets the next one: otherwise a backlog of jobs would keep it for ever.
 */
bool size_is_surplus(const struct pool *pool);
void size_end(struct slot *slot);
/* Sets new bounds of the pool's size: brood_pool_resize(). */
void size_set(struct pool *pool, uint32_t min, uint32_t max);

#endif
