/* SPDX-License-Identifier: MIT */
/*
 * queues.h - makes and frees queues, and what is done for all queues of a brood at once. No lock
 * held, unless said.
 */
#ifndef BROOD_ENGINE_QUEUES_H
#define BROOD_ENGINE_QUEUES_H

#include "queue.h"

/* with their locks; no lock of ours held */
void queues_each(struct brood *b, void (*each)(struct queue *l, void *context), void *context);
/* brood_stop(): looks at all queues */
size_t queues_drain(struct brood *b);
/* all that queues have is lost */
void queues_over(struct brood *b);
/* adds what the queues of this pool have counted, and those that are no more */
void queues_stats(struct brood_pool *pool, struct brood_stats *s);

/* Under the queue's lock: and does without them from now on. */
void queues_close_fds(struct queue *l);
/* one reference less */
void queues_put(struct queue *l);
/* under brood.queues.lock too */
void queues_watch_for_stop(struct queue *l);
int queues_new(struct brood_pool *pool, enum queue_kind kind, struct queue **ret);
/* no lock held; its memory stays while a handle has it */
void queues_free(struct queue *l);
/* the pool's own, made when first asked for; NULL: errno-like text was set */
struct queue *queues_own(struct brood_pool *pool);
/* somebody has brood_fd() */
void queues_own_polled(struct brood *b);

#endif
