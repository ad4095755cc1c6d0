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
	uint32_t in_a_row; /* starts of normal jobs in a row, while a background job waited */
};

void rank_init(struct rank_queue *t);
/* front: before all jobs of its kind. A job leaves by being removed from the list. */
void rank_add(struct rank_queue *t, struct list *link, bool background, bool front);
/* The job whose turn it is; NULL: no job waits. */
struct list *rank_first(struct rank_queue *t);
/* A job has left the queue, to begin. */
void rank_begun(struct rank_queue *t, bool background);

#endif
