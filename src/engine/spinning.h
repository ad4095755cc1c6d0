/* SPDX-License-Identifier: MIT */
/* spinning.h - a thread that waits for a job looks at its worker for a moment before it sleeps. */
#ifndef BROOD_ENGINE_SPINNING_H
#define BROOD_ENGINE_SPINNING_H

#include <stdbool.h>
#include <stdint.h>

struct queue;

/*
 * Under the queue's lock. True: a job is done, or another thread has left a note; false: look
 * further by the way of sleep.c. `until`: when the wait ends, or TIME_NEVER.
 */
bool spinning_wait(struct queue *l, uint64_t until);
/* Tells the queue's workers on which CPU this thread runs. */
void spinning_here(struct queue *l);

#endif
