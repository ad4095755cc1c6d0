/* SPDX-License-Identifier: MIT */
/* deliver.h - calls the program's callbacks. Under the queue's lock, which is free meanwhile. */
#ifndef BROOD_ENGINE_DELIVER_H
#define BROOD_ENGINE_DELIVER_H

#include <stdbool.h>

struct queue;
struct progress;

/* all of it, also what comes meanwhile */
void deliver_progress(struct queue *l, struct progress *progress);
/* this thread is in a callback of it */
bool deliver_here(const struct queue *l);
/* verdicts of handles that nobody was told of yet: how many. They are told of now */
int deliver_handles(struct queue *l);
/* the same for a thread that is not told of handles: brood_dispatch() will tell */
void deliver_handles_on(struct queue *l);
/* callbacks, without the lock; how many results came that were not counted before */
int deliver(struct queue *l);

#endif
