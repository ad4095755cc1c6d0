/* SPDX-License-Identifier: MIT */
/* memory_pressure.h - hears that memory is short: then elastic pools give up idle workers. */
#ifndef BROOD_SUPERVISOR_MEMORY_PRESSURE_H
#define BROOD_SUPERVISOR_MEMORY_PRESSURE_H

#include "root.h"

void memory_pressure_prepare(struct supervisor *s);
/* Begins to listen, if an option or the service manager asks for that. */
void memory_pressure_begin(struct supervisor *s);
void memory_pressure_calm_fired(struct timer *timer, uint64_t now);

#endif
