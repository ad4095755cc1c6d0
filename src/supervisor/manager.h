/* SPDX-License-Identifier: MIT */
/* manager.h - what the supervisor tells the service manager. */
#ifndef BROOD_SUPERVISOR_MANAGER_H
#define BROOD_SUPERVISOR_MANAGER_H

#include "root.h"

void manager_hear_engine(struct supervisor *s, const struct message_notify *message);
/* Called when the pool may be ready, degraded, or recovered: tells the engine and systemd. */
void manager_tell(struct pool *pool);
void manager_tell_stopping(struct supervisor *s);

#endif
