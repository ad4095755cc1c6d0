/* SPDX-License-Identifier: MIT */
/*
 * lease_watch.h - what a worker on lease does, seen from outside.
 */
#ifndef BROOD_SUPERVISOR_LEASE_WATCH_H
#define BROOD_SUPERVISOR_LEASE_WATCH_H

#include "slot.h"

void lease_watch_start(struct slot *slot, const struct message_lease *m, uint64_t now);
/* at a slot in LEASED; does what is due */
void lease_watch_look(struct slot *slot, uint64_t now);
/* what the engine says of one of its leases */
void lease_watch_look_by_id(struct pool *pool, uint64_t id);
void lease_watch_kill(struct pool *pool, const struct message_lease_kill *m);
void lease_watch_end(struct pool *pool, uint64_t id);
/* the stop's phases */
void lease_watch_drain(struct pool *pool);
void lease_watch_stop(struct slot *slot, uint64_t now);
void lease_watch_force(struct slot *slot, uint64_t now);

#endif
