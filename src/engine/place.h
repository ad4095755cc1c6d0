/* SPDX-License-Identifier: MIT */
/* place.h - gives a queue's jobs to its leases. All under the queue's lock. */
#ifndef BROOD_ENGINE_PLACE_H
#define BROOD_ENGINE_PLACE_H

#include <stdint.h>

struct given;
struct queue;
struct queue_job;

/* Asks for one more lease. 0 or -errno; -EAGAIN: as many leases are out as may be. */
int place_ask(struct queue *l, uint32_t limit_ms, uint32_t wait_ms);
void place_waiting(struct queue *l);
/* Gives the job copies of its bytes and fds, as a handoff needs them. 0 or -errno. */
int place_keep(struct queue_job *job, const struct given *given);
/* -EAGAIN: the job is a call or a conversation, and the backlog is full. */
int place_give(struct queue *l, struct queue_job *job, const struct given *given);

#endif
