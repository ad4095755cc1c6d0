/* SPDX-License-Identifier: MIT */
/* sleep.h - threads that wait for something of a queue. All under the queue's lock. */
#ifndef BROOD_ENGINE_SLEEP_H
#define BROOD_ENGINE_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct queue;
struct queue_job;
struct sleeper;

/* what has happened, without waiting */
void sleep_look(struct queue *l);
/* what can be seen in memory alone */
void sleep_glance(struct queue *l);
/* workers tell of each completion from now on. true: one came before they knew */
bool sleep_listen(struct queue *l);
/* somebody looks: no telling needed */
void sleep_quiet(struct queue *l);
/*
 * for those that poll its fd: workers tell from now on, and what they did meanwhile makes it
 * readable
 */
void sleep_listen_polled(struct queue *l);
/* the same by who does not deliver: so does what it found for others */
void sleep_tell(struct queue *l);
/* the same, wakes workers, and lets go of the lock */
void sleep_leave(struct queue *l);
/* the same, for who knows the time */
void sleep_from(struct queue *l, struct sleeper **chain, uint64_t now, uint64_t until);
/* lets go of the lock until something may have happened, and has looked */
void sleep_until(struct queue *l, struct sleeper **chain, uint64_t until);
/* the same as sleep_until(), for a job of the callers' queue */
void sleep_caller(struct queue *l, struct queue_job *job);

#endif
