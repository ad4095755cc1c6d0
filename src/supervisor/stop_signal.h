/* SPDX-License-Identifier: MIT */
/* stop_signal.h - a stop signal, and the engine's end that follows from it. */
#ifndef BROOD_SUPERVISOR_STOP_SIGNAL_H
#define BROOD_SUPERVISOR_STOP_SIGNAL_H

#include "root.h"

/*
 * SIGTERM or SIGINT came, from that process. engine_has_it: the engine has the signal already.
 * pid 0: the sender is in another pid namespace.
 */
void stop_signal_came(struct supervisor *s, int sig, pid_t from, bool engine_has_it);
/* The engine is asked to end, since the start has failed. */
void stop_signal_for_failure(struct supervisor *s);
timer_fn stop_signal_pass_fired, stop_signal_force_fired;

#endif
