/* SPDX-License-Identifier: MIT */
/* sleep.h - threads that wait for something of a queue. All under the queue's lock. */
#ifndef BROOD_ENGINE_SLEEP_H
#define BROOD_ENGINE_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct queue;
struct queue_job;
struct sleeper;

/* Looks at what has happened, without waiting. */
void sleep_look(struct queue *l);
/* Looks at what can be seen in memory alone. */
void sleep_glance(struct queue *l);
/* From now on workers tell of each completion. True: one came before the workers knew. */
bool sleep_listen(struct queue *l);
/* A thread looks: workers need not tell. */
void sleep_quiet(struct queue *l);
/*
 * For programs that poll the queue's fd: workers tell from now on, and what they did meanwhile
 * makes the fd readable.
 */
void sleep_listen_polled(struct queue *l);
/* sleep_listen_polled() for a thread that does not deliver: its finds make the fd readable, too. */
void sleep_tell(struct queue *l);
/* The same as sleep_tell(); it also wakes workers, and lets go of the lock. */
void sleep_leave(struct queue *l);
/* The same as sleep_until(), for a caller that knows the time. */
void sleep_from(struct queue *l, struct sleeper **chain, uint64_t now, uint64_t until);
/* Lets go of the lock until something may have happened, then looks. */
void sleep_until(struct queue *l, struct sleeper **chain, uint64_t until);
/* The same as sleep_until(), for a job of the callers' queue. */
void sleep_caller(struct queue *l, struct queue_job *job);

#endif
