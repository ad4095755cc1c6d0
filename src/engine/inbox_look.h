/* SPDX-License-Identifier: MIT */
/*
 * inbox_look.h - asks for leases, and looks at what the supervisor said of them. All under the
 * queue's lock.
 */
#ifndef BROOD_ENGINE_INBOX_LOOK_H
#define BROOD_ENGINE_INBOX_LOOK_H

struct queue;

/* what whoever read the channel left for it */
void inbox_look(struct queue *l);
/*
 * A lease that is over keeps its lease page, memory and fds until its queue looks, and a queue that
 * nobody uses never does: another one looks there. Under that one's lock, and waits for no other.
 */
void inbox_look_at_others(struct queue *own);

#endif
