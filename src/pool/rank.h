/* SPDX-License-Identifier: MIT */
/*
 * rank.h - jobs that wait, in two queues, each first come first served: normal ones, and those in
 * the background. While both wait one start in RANK_ROUND is the background's.
 */
#ifndef BROOD_POOL_RANK_H
#define BROOD_POOL_RANK_H

#include "../base/base.h"

#include <stdint.h>

#define RANK_ROUND 8

struct rank_queue {
	struct list normal, background;
	uint32_t in_a_row; /* starts of normal jobs since one of the background, while one waited */
};

void rank_init(struct rank_queue *t);
/* front: before all of its kind. Who leaves is just removed from the list. */
void rank_add(struct rank_queue *t, struct list *link, bool background, bool front);
/* whose turn it is; NULL: nobody waits */
struct list *rank_first(struct rank_queue *t);
/* a job has left the queue, to begin */
void rank_begun(struct rank_queue *t, bool background);

#endif
