/* SPDX-License-Identifier: MIT */
/*
 * front.h - what this process is to the caller of brood.h. See start.c.
 */
#ifndef BROOD_FRONT_H
#define BROOD_FRONT_H

#include <brood.h>
#include <stdbool.h>

/* Inline mode has no processes; all calls go to src/inline. */
bool front_is_inline(void);
/*
 * 0 in the engine; else -EPERM (a worker, a forked child) or -EINVAL (nothing was started, no
 * brood) with a sentence. `what`: the object that the call is about.
 */
int front_check(const char *call, const void *what);

#endif
