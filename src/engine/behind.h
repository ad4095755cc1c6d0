/* SPDX-License-Identifier: MIT */
/* behind.h - moves jobs that stand behind a long job in a ring. All under the queue's lock. */
#ifndef BROOD_ENGINE_BEHIND_H
#define BROOD_ENGINE_BEHIND_H

struct queue;

/*
 * To be called after a job was given to the queue, and after each event of the queue: sets the
 * queue's timer if a job may have to be moved.
 */
void behind_watch(struct queue *l);
/* The timer has fired: moves jobs, and refuses those that waited for too long. */
void behind_fired(struct queue *l);

#endif
