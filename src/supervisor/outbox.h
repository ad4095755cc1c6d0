/* SPDX-License-Identifier: MIT */
/* outbox.h - what the supervisor tells the engine. */
#ifndef BROOD_SUPERVISOR_OUTBOX_H
#define BROOD_SUPERVISOR_OUTBOX_H

#include "record.h"

/* Sends the messages that wait, as far as the socket takes them; the others wait on. */
void outbox_flush(struct supervisor *s);
/* Sends a message. 0: sent, or the engine is gone. -errno: not now; the retry timer is set. */
int outbox_send(struct supervisor *s, struct frame *f);
/* Sends POOL_READY, POOL_DEGRADED or STOPPED. Returns as outbox_send(). */
int outbox_tell(struct pool *pool, enum message_type type);

#endif
