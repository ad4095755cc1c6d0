/* SPDX-License-Identifier: MIT */
/* pump.h - the rare events of a queue. All under the queue's lock. */
#ifndef BROOD_ENGINE_PUMP_H
#define BROOD_ENGINE_PUMP_H

#include <stdbool.h>
#include <stdint.h>

struct queue;

void pump_channel(struct queue *l, bool logs);
/* Handles an event of the queue's epoll, except completions and side sockets (collect_event()). */
void pump_event(struct queue *l, uint64_t data);
/* queues_ended is set: gives up the jobs that are left, unless the engine itself ends. */
void pump_lost(struct queue *l);

#endif
