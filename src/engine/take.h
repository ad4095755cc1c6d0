/* SPDX-License-Identifier: MIT */
/* take.h - results that the program takes. Under the queue's lock. */
#ifndef BROOD_ENGINE_TAKE_H
#define BROOD_ENGINE_TAKE_H

struct queue;

/*
 * The program is through with what it took: what any thread's brood_take() gave, and what this
 * thread waited for.
 */
void take_forget(struct queue *l);

#endif
