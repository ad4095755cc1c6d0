/* SPDX-License-Identifier: MIT */
/* manager.h - what the supervisor tells the service manager. */
#ifndef BROOD_SUPERVISOR_MANAGER_H
#define BROOD_SUPERVISOR_MANAGER_H

#include "root.h"
#include "../wire/frame.h"

void manager_start(struct supervisor *s);
void manager_hear_engine(struct supervisor *s, struct frame *f);
/* Called when the pool may be ready, degraded, or recovered: tells the engine and systemd. */
void manager_tell(struct pool *pool);
void manager_tell_stopping(struct supervisor *s);
/*
 * Called when the program stops the pool, or ends in order. If the engine is ready, and the pool is
 * not yet, READY=1 is sent: an engine that has done its work before all workers were born is a
 * service that has started.
 */
void manager_pool_ends(struct supervisor *s);
/* The start or the end has failed: why. error: a positive errno. */
void manager_tell_failure(struct supervisor *s, int error, const char *reason);
/* A stop signal came, and the service goes on for stop_delay_ms. */
void manager_tell_leaving(struct supervisor *s);

#endif
