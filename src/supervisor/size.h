/* SPDX-License-Identifier: MIT */
/*
 * size.h - the size of a pool at run time: it grows and shrinks as pool/sizing.h says.
 */
#ifndef BROOD_SUPERVISOR_SIZE_H
#define BROOD_SUPERVISOR_SIZE_H

#include "root.h"

/* after any change of what the pool does */
void size_step(struct pool *pool);
timer_fn size_timer_fired;
/* New bounds, by the program's wish. */
void size_set(struct pool *pool, uint32_t min, uint32_t max);

#endif
