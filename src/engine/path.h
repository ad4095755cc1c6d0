/* SPDX-License-Identifier: MIT */
/* path.h - chooses a job's transport. */
#ifndef BROOD_ENGINE_PATH_H
#define BROOD_ENGINE_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct brood;
struct given;
struct queue;

/* the queue that the job would go by; NULL: hand it off, or no memory */
struct queue *path_queue(struct brood *b, const struct given *given, bool call);
/* -EAGAIN with its sentence */
int path_full(const struct queue *l);
/* -ESTALE with its sentence */
int path_lease_over(void);
/* asks for a lease for this queue, if as many workers are idle as are needed */
bool path_ask(struct queue *l, uint64_t now, uint32_t needed);
/*
 * Under the queue's lock. 0: a lease would take the job now, or the job may wait for one; 1: hand
 * it off; 2: by the callers' queue; -ESTALE. call: a thread waits, and may wait for a lease.
 */
int path_ready(struct queue *l, const struct given *given, bool call);

#endif
