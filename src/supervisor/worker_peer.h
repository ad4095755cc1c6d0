/* SPDX-License-Identifier: MIT */
/* worker_peer.h - reads the messages of workers. */
#ifndef BROOD_SUPERVISOR_WORKER_PEER_H
#define BROOD_SUPERVISOR_WORKER_PEER_H

#include "slot.h"

/* Reads one message. False: there is none for now, or never again. */
bool worker_peer_read(struct slot *slot);
/* Reads all messages that are there. */
void worker_peer_drain(struct slot *slot);
/* Reads the worker's messages again, after a resource was short. */
void worker_peer_resume(struct slot *slot);
timer_fn worker_peer_healthy_fired;

#endif
