/* SPDX-License-Identifier: MIT */
/*
 * worker_peer.h - what workers say.
 */
#ifndef BROOD_SUPERVISOR_WORKER_PEER_H
#define BROOD_SUPERVISOR_WORKER_PEER_H

#include "slot.h"

/* One message. False: there are no more for now, or never again. */
bool worker_peer_read(struct slot *slot);
/* all messages that are there */
void worker_peer_drain(struct slot *slot);
/* reads again, after a resource was short */
void worker_peer_resume(struct slot *slot);
timer_fn worker_peer_healthy_fired;

#endif
