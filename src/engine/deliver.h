/* SPDX-License-Identifier: MIT */
/* deliver.h - calls the program's callbacks. Under the queue's lock, which is free meanwhile. */
#ifndef BROOD_ENGINE_DELIVER_H
#define BROOD_ENGINE_DELIVER_H

#include <stdbool.h>

struct queue;
struct progress;

/* Tells all of the progress, also what comes meanwhile. */
void deliver_progress(struct queue *l, struct progress *progress);
/* True: this thread is in a callback of the queue. */
bool deliver_here(const struct queue *l);
/* Counts the verdicts of handles that nobody was told of yet. They count as told from now on. */
int deliver_handles(struct queue *l);
/* The same for a thread that does not report handles: brood_dispatch() will tell of them. */
void deliver_handles_on(struct queue *l);
/* Calls the callbacks without the lock. Returns how many results were not counted before. */
int deliver(struct queue *l);

#endif
