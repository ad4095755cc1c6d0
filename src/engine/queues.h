/* SPDX-License-Identifier: MIT */
/*
 * queues.h - makes and frees queues, and what is done for all queues of a brood at once. No lock
 * held, unless said.
 */
#ifndef BROOD_ENGINE_QUEUES_H
#define BROOD_ENGINE_QUEUES_H

#include "queue.h"

/* Calls each() for all queues, with each queue's lock held. The caller holds no lock. */
void queues_each(struct brood *b, void (*each)(struct queue *l, void *context), void *context);
/* For brood_stop(): looks at all queues. */
size_t queues_drain(struct brood *b);
/* All that the queues have is lost. */
void queues_over(struct brood *b);
/* Adds what the queues of this pool have counted, also queues that are no more. */
void queues_stats(struct brood_pool *pool, struct brood_stats *s);

/* Under the queue's lock: closes the queue's fds. The queue does without them from now on. */
void queues_close_fds(struct queue *l);
/* Drops one reference to the queue. */
void queues_put(struct queue *l);
/* Also under brood.queues.lock. */
void queues_watch_for_stop(struct queue *l);
int queues_new(struct brood_pool *pool, enum queue_kind kind, struct queue **ret);
/* No lock held. The queue's memory stays while a handle needs it. */
void queues_free(struct queue *l);
/* The pool's own queue, made when first asked for. NULL: the error text was set. */
struct queue *queues_own(struct brood_pool *pool);
/* The program has brood_fd(). */
void queues_own_polled(struct brood *b);

#endif
