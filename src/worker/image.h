/* SPDX-License-Identifier: MIT */
/*
 * image.h - what all workers have in common. Where a spawner makes the workers, the spawner does it
 * once, and each worker begins as a copy: most of what a birth costs is done then, and the memory
 * that it changed stays shared.
 */
#ifndef BROOD_WORKER_IMAGE_H
#define BROOD_WORKER_IMAGE_H

#include "../wire/birth.h"

/* In the spawner, once it has no other files open than workers have, and its channel. 0, -errno. */
int image_prepare(struct birth *birth);
/* The same in a worker that is no copy of such a spawner. */
int image_make(const struct worker_config *config);
bool image_has_oom_score(const struct worker_config *config);
/* True: the worker is as the image, for nothing that is the program's own has run in it. */
bool image_holds(const struct worker_config *config);
/* Then this replaces the worker's look at itself. Returns what it cannot see: enum self_blind. */
unsigned image_inherit(const struct worker_config *config);

#endif
