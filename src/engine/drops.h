/* SPDX-License-Identifier: MIT */
/* drops.h - counts what a stop refused or lost. */
#ifndef BROOD_ENGINE_DROPS_H
#define BROOD_ENGINE_DROPS_H

#include <brood.h>

struct brood;
struct brood_verdict;

/*
 * A job has its verdict; once the stop has begun, one that it refused or lost is counted. Any lock.
 */
void drops_count(struct brood *b, const struct brood_verdict *v, const char *name);

#endif
