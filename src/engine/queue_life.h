/* SPDX-License-Identifier: MIT */
/* queue_life.h - makes and frees queues. */
#ifndef BROOD_ENGINE_QUEUE_LIFE_H
#define BROOD_ENGINE_QUEUE_LIFE_H

#include "queue.h"

struct brood;
struct queue;

/* and do without them from now on */
void queue_life_close_fds(struct queue *l);
/* one reference less */
void queue_life_put(struct queue *l);
/* under brood.queues.lock too */
void queue_life_watch_for_stop(struct queue *l);
int queue_life_new(struct brood *b, enum queue_kind kind, struct queue **ret);
/* no lock held; its memory stays while a handle has it */
void queue_life_free(struct queue *l);
/* made when first asked for; NULL: errno-like text was set */
struct queue *queue_life_own(struct brood *b);
/* somebody has brood_fd() */
void queue_life_own_polled(struct brood *b);

#endif
