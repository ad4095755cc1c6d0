/* SPDX-License-Identifier: MIT */
/*
 * inbox_look.h - asks for leases, and looks at what the supervisor said of them. All under the
 * queue's lock.
 */
#ifndef BROOD_ENGINE_INBOX_LOOK_H
#define BROOD_ENGINE_INBOX_LOOK_H

struct queue;

/* Looks at the notes that the reader of the channel left for this queue. */
void inbox_look(struct queue *l);
/*
 * A lease that is over keeps its lease page, memory and fds until its queue looks, and an unused
 * queue never looks. So `own` looks there, under that queue's lock. It waits for no lock.
 */
void inbox_look_at_others(struct queue *own);

#endif
