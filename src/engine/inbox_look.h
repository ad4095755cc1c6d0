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
 * queue never looks. So a thread of the queue `own` looks into the inboxes of all other queues,
 * each under that queue's lock. A queue whose lock is taken is skipped.
 */
void inbox_look_at_others(struct queue *own);

#endif
