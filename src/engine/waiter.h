/* SPDX-License-Identifier: MIT */
/* waiter.h - a thread that blocks, and how other threads wake it. All under brood.lock. */
#ifndef BROOD_ENGINE_WAITER_H
#define BROOD_ENGINE_WAITER_H

#include <stdbool.h>

struct brood;

/* Makes a waiter, with an eventfd if there is one to be had. NULL: no memory. */
struct waiter *waiter_new(void);
struct waiter *waiter_free(struct waiter *waiter);
void waiter_poke(struct waiter *waiter);
void waiter_unpoke(struct waiter *waiter);
/* A state of the pool has changed: pokes all waiters. */
void waiter_poke_all(struct brood *b);
/* What this waiter waits for has come: pokes it. */
void waiter_closed(struct brood *b, struct waiter *waiter);
/* Takes a waiter for this thread. blind: stands in when there is no memory or fd for one. */
struct waiter *waiter_take(struct brood *b, struct waiter *blind);
void waiter_give_back(struct brood *b, struct waiter *waiter, struct waiter *blind);
/* True: this thread leads. False: it follows from now on. */
bool waiter_lead(struct brood *b, struct waiter *waiter);
/* The thread neither leads nor follows any more. If nobody leads, a follower is poked. */
void waiter_leave(struct brood *b, struct waiter *waiter);
/* brood_dispatch() has a verdict to count: makes brood_fd() readable. */
void waiter_tell_poller(struct brood *b);

#endif
