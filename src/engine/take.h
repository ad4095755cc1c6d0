/* SPDX-License-Identifier: MIT */
/* take.h - results that the program takes. Under the queue's lock. */
#ifndef BROOD_ENGINE_TAKE_H
#define BROOD_ENGINE_TAKE_H

struct queue;

/*
 * Frees the results that the program is through with: what any thread's brood_take() gave, and what
 * this thread's brood_wait_id() gave.
 */
void take_forget(struct queue *l);

#endif
