/* SPDX-License-Identifier: MIT */
/* queue_event.h - what an event of a queue's epoll says. */
#ifndef BROOD_ENGINE_QUEUE_EVENT_H
#define BROOD_ENGINE_QUEUE_EVENT_H

#include <stdint.h>

/* What an event of the epoll is about: its low four bits. The macros below build the other bits. */
enum {
	QUEUE_EVENT_WAKE = 1,
	QUEUE_EVENT_TICK,
	QUEUE_EVENT_CHANNEL,
	QUEUE_EVENT_LOG,
	QUEUE_EVENT_DONE,
	QUEUE_EVENT_SIDE,
	QUEUE_EVENT_STREAM,
	QUEUE_EVENT_OVER,
	QUEUE_EVENT_UNSENT
};
#define QUEUE_EVENT_KIND(data)  ((unsigned)((data) % 16))
#define QUEUE_EVENT_LEASE(l, k) ((uint64_t)(l)->serial << 32 | (uint64_t)(l)->index << 4 | (k))
#define QUEUE_EVENT_JOB(job)    ((job)->id << 4 | QUEUE_EVENT_STREAM)

#endif
