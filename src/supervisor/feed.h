/* SPDX-License-Identifier: MIT */
/* feed.h - the service manager's watchdog, and whether the engine answers: pool/watchdog.h. */
#ifndef BROOD_SUPERVISOR_FEED_H
#define BROOD_SUPERVISOR_FEED_H

#include "root.h"

void feed_start(struct supervisor *s);
timer_fn feed_fired;
/* For STATUS=: what is wrong now; NULL: nothing. */
const char *feed_trouble(const struct supervisor *s);
/*
 * Tells the service manager that the supervisor itself has found a fault that does not pass: the
 * service manager acts as if its watchdog had run out. what: for STATUS=.
 */
void feed_trigger(struct supervisor *s, const char *what);

#endif
