/* SPDX-License-Identifier: MIT */
/* stop.h - stops the pool. */
#ifndef BROOD_SUPERVISOR_STOP_H
#define BROOD_SUPERVISOR_STOP_H

#include "root.h"

void stop_pool(struct supervisor *s, uint32_t drain_ms, uint32_t stop_ms);
/* To be called after any change that may move the stop on. */
void stop_step(struct supervisor *s);
timer_fn stop_timer_fired;

#endif
