/* SPDX-License-Identifier: MIT */
/* pump.h - what happens in a queue now and then. All under the queue's lock. */
#ifndef BROOD_ENGINE_PUMP_H
#define BROOD_ENGINE_PUMP_H

#include <stdbool.h>
#include <stdint.h>

struct queue;

void pump_channel(struct queue *l, bool logs);
/* Handles an event of the epoll, except completions and side sockets: see collect_event(). */
void pump_event(struct queue *l, uint64_t data);
/* queues_ended is set: gives up the jobs that are left, unless the engine itself ends. */
void pump_lost(struct queue *l);

#endif
