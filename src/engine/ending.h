/* SPDX-License-Identifier: MIT */
/*
 * ending.h - the end of the pool as the engine sees it: brood_stop(), and exit() without it. See
 * ending.c.
 */
#ifndef BROOD_ENGINE_ENDING_H
#define BROOD_ENGINE_ENDING_H

#include <brood.h>

struct brood;
struct lane;

/*
 * A job has its verdict; once the stop has begun, one that it refused or lost is counted. Any lock.
 */
void ending_count(struct brood *b, const struct brood_verdict *verdict, const char *name);

/*
 * How many jobs wait in this lane, for the page that the supervisor can read. Under the lane's
 * lock.
 */
void ending_tell_waiting(struct lane *l);

#endif
