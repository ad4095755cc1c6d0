/* SPDX-License-Identifier: MIT */
/* queues.h - all queues at once. No lock held. */
#ifndef BROOD_ENGINE_QUEUES_H
#define BROOD_ENGINE_QUEUES_H

#include <brood.h>

struct brood;
struct brood_stats;
struct queue;

/* with their locks; no lock of ours held */
void queues_each(struct brood *b, void (*each)(struct queue *l, void *context), void *context);
/* brood_stop(): looks at all queues */
size_t queues_drain(struct brood *b);
/* all that queues have is lost */
void queues_over(struct brood *b);
void queues_stats(struct brood *b, struct brood_stats *s);

#endif
