/* SPDX-License-Identifier: MIT */
/* lease_watch.h - sees from outside what a worker on lease does, and takes the lease back. */
#ifndef BROOD_SUPERVISOR_LEASE_WATCH_H
#define BROOD_SUPERVISOR_LEASE_WATCH_H

#include "slot.h"

void lease_watch_start(struct slot *slot, const struct message_lease *m, uint64_t now);
/* Looks at the lease of a LEASED slot, and does what is due. */
void lease_watch_look(struct slot *slot, uint64_t now);
/* Asks the worker to leave its lease. */
void lease_watch_recall(struct slot *slot);
/* Recalls softly a worker in LEASED: it leaves once it has done what is in its ring. */
void lease_watch_recall_softly(struct slot *slot);
/* Asks the worker to leave its lease at once, and looks at the lease. */
void lease_watch_take_back(struct slot *slot, uint64_t now);
/* Sends the recalls that could not be sent before. */
void lease_watch_recall_again(struct pool *pool);
/* The engine asks for a look at one of its leases. */
void lease_watch_look_by_id(struct supervisor *s, uint64_t id);
void lease_watch_kill(struct supervisor *s, const struct message_lease_kill *m);
/*
 * Tells the job of that id to end, if it runs on a lease now: as LEASE_KILL of the engine does. The
 * engine may have no ear for anything. False: no such job runs.
 */
bool lease_watch_cancel(struct supervisor *s, uint64_t job);
void lease_watch_end(struct supervisor *s, uint64_t id);
/* Called when the pool's stop begins to drain, and when it kills: acts on leases. */
void lease_watch_drain(struct pool *pool);
void lease_watch_force(struct slot *slot, uint64_t now);

#endif
