/* SPDX-License-Identifier: MIT */
/*
 * start_fails.h - BROOD_START_OR_FAIL: a pool that is degraded before it was ever ready fails the
 * start. brood_start() has returned in the engine long ago, and cannot fail any more. So the
 * service ends: the service manager hears why (STATUS=, ERRNO=), the engine is asked to end
 * (SIGTERM; SIGKILL after engine_stop_ms), and the supervisor ends as the engine does. Only where
 * that would look like success, or like the supervisor's own signal, it ends with BROOD_EXIT_START.
 */
#ifndef BROOD_SUPERVISOR_START_FAILS_H
#define BROOD_SUPERVISOR_START_FAILS_H

#include "root.h"

/* Called when the pool may be degraded. */
void start_fails_look(struct pool *pool);
/* The exit code of a start that failed; 0: the supervisor ends like the engine. */
int start_fails_code(const struct supervisor *s);

#endif
