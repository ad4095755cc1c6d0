/* SPDX-License-Identifier: MIT */
/* deliver.h - calls the program's callbacks. Under the queue's lock, free while a callback runs. */
#ifndef BROOD_ENGINE_DELIVER_H
#define BROOD_ENGINE_DELIVER_H

#include <stdbool.h>

struct queue;
struct progress;

/* Calls on_progress for each message in `progress`, also for those that come meanwhile. */
void deliver_progress(struct queue *l, struct progress *progress);
/* True: this thread is in a callback of the queue. */
bool deliver_here(const struct queue *l);
/* Counts the verdicts of handles that nobody was told of yet. They count as told from now on. */
int deliver_handles(struct queue *l);
/* Passes the count on to brood_dispatch(), for a thread that does not return it. */
void deliver_handles_on(struct queue *l);
/* Calls the callbacks without the lock. Returns how many results were not counted before. */
int deliver(struct queue *l);

#endif
