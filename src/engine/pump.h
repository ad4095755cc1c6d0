/* SPDX-License-Identifier: MIT */
/* pump.h - looks at what has happened in a queue. All under the queue's lock. */
#ifndef BROOD_ENGINE_PUMP_H
#define BROOD_ENGINE_PUMP_H

#include <brood.h>
#include <stdbool.h>

struct epoll_event;
struct queue;

void pump_channel(struct queue *l, bool logs);
/* what pump_look() does, with what the epoll said */
void pump_heard(struct queue *l, const struct epoll_event *events, int n);
/* what has happened, without waiting */
void pump_look(struct queue *l);
/* what can be seen in memory alone */
void pump_glance(struct queue *l);

#endif
