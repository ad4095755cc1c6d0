/* SPDX-License-Identifier: MIT */
/*
 * wait.h - blocks until something is true of a handle or of the pool. Under brood.lock, which is
 * free while the thread sleeps.
 */
#ifndef BROOD_ENGINE_WAIT_H
#define BROOD_ENGINE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* how long a job waits for room in the socket when nobody polls brood_fd() */
#define OUT_PATIENCE_MS 1000
struct wait {
	struct brood *brood;
	struct brood_handle *handle; /* NULL: a state of the pool */
	bool (*done)(const struct wait *wait);
	struct transfer *transfer; /* a call's bytes, moved meanwhile; NULL */
	uint64_t until;
	bool queues;       /* the thread that stops: it wants to hear of the queues, too */
	bool queues_ready; /* a queue has something to look at */
	struct waiter *waiter;
};

/* 0, -ETIMEDOUT; or 0 with queues_ready: it may not be done yet */
int wait_until(struct wait *wait);
/* waits a little for room, unless somebody polls brood_fd() */
void wait_for_room(struct brood *b);

#endif
