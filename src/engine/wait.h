/* SPDX-License-Identifier: MIT */
/*
 * wait.h - blocks until something is true of a handle or of the pool. Under brood.lock, which is
 * free while the thread sleeps.
 */
#ifndef BROOD_ENGINE_WAIT_H
#define BROOD_ENGINE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* How long a job waits for room in the socket when nobody polls brood_fd(). */
#define OUT_PATIENCE_MS 1000
struct wait {
	struct brood *brood;
	struct brood_handle *handle; /* NULL: the thread waits for a state of the pool */
	bool (*done)(const struct wait *wait);
	struct transfer *transfer; /* moves a call's bytes meanwhile; or NULL */
	uint64_t until;
	bool queues;       /* the stopping thread also wants to hear of the queues */
	bool queues_ready; /* a queue has something to look at */
	struct waiter *waiter;
};

/* 0, or -ETIMEDOUT. With queues_ready, 0 may come before what was waited for. */
int wait_until(struct wait *wait);
/* Waits a little for room, unless the program polls brood_fd(). */
void wait_for_room(struct brood *b);

#endif
