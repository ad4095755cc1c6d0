/* SPDX-License-Identifier: MIT */
/* path.h - chooses a job's transport. */
#ifndef BROOD_ENGINE_PATH_H
#define BROOD_ENGINE_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct brood;
struct given;
struct queue;

/*
 * Chooses the queue of a job. 0: a lease would take the job now, or the job may wait for one; the
 * queue is locked. 1: hand it off. -errno. call: a thread waits, and may wait for a lease.
 */
int path_enter(struct brood *b, const struct given *given, bool call, struct queue **ret);
/* Returns -EAGAIN and sets its sentence. */
int path_full(const struct queue *l);
/* The same, for a queue that has no room for more results and jobs. */
int path_results(const struct queue *l);
/* Returns -ESTALE and sets its sentence. */
int path_lease_over(void);
/* Asks for a lease for this queue, if as many workers are idle as are needed. */
bool path_ask(struct queue *l, uint64_t now, uint32_t needed);
#endif
