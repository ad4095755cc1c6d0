/* SPDX-License-Identifier: MIT */
/* submit.h - dispatches queues, for brood_dispatch() and brood_queue_dispatch(). */
#ifndef BROOD_ENGINE_SUBMIT_H
#define BROOD_ENGINE_SUBMIT_H

struct brood;
struct queue;

int submit_dispatch(struct queue *l);
/*
 * Dispatches the brood's own queue. Returns how many results there are; -1: nobody has used the
 * queue yet.
 */
int submit_dispatch_own(struct brood *b);

#endif
