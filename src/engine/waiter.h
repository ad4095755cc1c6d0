/* SPDX-License-Identifier: MIT */
/* waiter.h - a thread that blocks, and how other threads wake it. All under brood.lock. */
#ifndef BROOD_ENGINE_WAITER_H
#define BROOD_ENGINE_WAITER_H

#include <stdbool.h>

struct brood;

/* with an eventfd, if there is one to be had; NULL: no memory */
struct waiter *waiter_new(void);
struct waiter *waiter_free(struct waiter *waiter);
void waiter_poke(struct waiter *waiter);
void waiter_unpoke(struct waiter *waiter);
/* a state of the pool has changed */
void waiter_poke_all(struct brood *b);
/* what this one waits for is there */
void waiter_closed(struct brood *b, struct waiter *waiter);
/* for this thread. blind: stands in where there is neither memory nor an fd */
struct waiter *waiter_take(struct brood *b, struct waiter *blind);
void waiter_give_back(struct brood *b, struct waiter *waiter, struct waiter *blind);
/* true: this thread leads; else it follows from now on */
bool waiter_lead(struct brood *b, struct waiter *waiter);
/* neither any more; if nobody leads, a follower is poked */
void waiter_leave(struct brood *b, struct waiter *waiter);
/* something for brood_dispatch() */
void waiter_tell_poller(struct brood *b);

#endif
