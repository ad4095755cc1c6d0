/* SPDX-License-Identifier: MIT */
/*
 * queues.h - makes and frees queues, and does what concerns all queues of a brood. The caller holds
 * no lock, unless said.
 */
#ifndef BROOD_ENGINE_QUEUES_H
#define BROOD_ENGINE_QUEUES_H

#include "queue.h"

/* Calls each() for all queues, with each queue's lock held. The caller holds no lock. */
void queues_each(struct brood *b, void (*each)(struct queue *l, void *context), void *context);
/* For brood_stop(): looks at all queues. Returns how many of their jobs are not done. */
size_t queues_drain(struct brood *b);
/* The end of all queues: their open jobs are lost. */
void queues_over(struct brood *b);
/* Adds what the queues of this pool have counted, also queues that are no more. */
void queues_stats(struct brood_pool *pool, struct brood_stats *s);

/* Under the queue's lock: closes the queue's fds. The queue does without them from now on. */
void queues_close_fds(struct queue *l);
/* Drops one reference to the queue. */
void queues_put(struct queue *l);
/* Under brood.queues.lock: lets brood_stop() hear of this queue's events. */
void queues_watch_for_stop(struct queue *l);
int queues_new(struct brood_pool *pool, enum queue_kind kind, struct queue **ret);
/* Frees the queue. Its memory stays while a handle needs it. */
void queues_free(struct queue *l);
/* The pool's own queue, made when first asked for. NULL: the error text was set. */
struct queue *queues_own(struct brood_pool *pool);
/* The program has called brood_fd(): from now on results make that fd readable. */
void queues_own_polled(struct brood *b);

#endif
