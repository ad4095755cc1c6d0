/* SPDX-License-Identifier: MIT */
/* resolver.h - the short-lived child that looks up the names of functions for death reports. */
#ifndef BROOD_SUPERVISOR_RESOLVER_H
#define BROOD_SUPERVISOR_RESOLVER_H

#include "logging.h"

/*
 * Starts a resolver for the reports from number `from` on. Its end sets NOTE_REPORT. False: no
 * process can be made now.
 */
bool resolver_start(struct supervisor *s, uint64_t from);
timer_fn resolver_fired;
/* Kills the resolver, and does not wait for its end. */
void resolver_hurry(struct supervisor *s);
/* Kills the resolver, and waits for the moment until it is gone. */
void resolver_end(struct supervisor *s);

#endif
