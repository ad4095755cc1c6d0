/* SPDX-License-Identifier: MIT */
/*
 * image.h - what all workers have in common. A spawner sets that up once, in itself, and each
 * worker begins as its copy: so a birth costs little, and the memory that the spawner changed for
 * it stays shared.
 */
#ifndef BROOD_WORKER_IMAGE_H
#define BROOD_WORKER_IMAGE_H

#include "../wire/birth.h"

/*
 * Called in the spawner, when only those files are open that workers have, and the spawner's
 * channel. Returns 0 or -errno.
 */
int image_prepare(struct birth *birth);
/* Sets up a worker that the supervisor made, and that is no copy of a spawner. 0 or -errno. */
int image_make(const struct worker_config *config);
bool image_has_oom_score(const struct worker_config *config);
/*
 * True: the worker is still as the image, for no code of the program has run in it, and its pool
 * changes nothing at birth.
 */
bool image_holds(const struct worker_config *config);
/*
 * For a worker that is as the image: takes over what the spawner noted, instead of a look at
 * itself. Returns what the worker cannot see: enum self_blind.
 */
unsigned image_inherit(const struct worker_config *config);

#endif
