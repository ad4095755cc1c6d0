/* SPDX-License-Identifier: MIT */
/* outbox.h - what the supervisor tells the engine. */
#ifndef BROOD_SUPERVISOR_OUTBOX_H
#define BROOD_SUPERVISOR_OUTBOX_H

#include "record.h"

/* Sends what waits, as far as the socket takes it; the rest waits on. */
void outbox_flush(struct supervisor *s);
/* Sends a message. 0, also if nobody hears it; -errno: not now, the retry timer is set. */
int outbox_send(struct supervisor *s, struct frame *f);
/* POOL_READY, POOL_DEGRADED, STOPPED. 0, or -errno: not now */
int outbox_tell(struct pool *pool, enum message_type type);

#endif
