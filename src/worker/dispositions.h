/* SPDX-License-Identifier: MIT */
/* dispositions.h - what signals mean in a worker. */
#ifndef BROOD_WORKER_DISPOSITIONS_H
#define BROOD_WORKER_DISPOSITIONS_H

#include <brood.h>

/*
 * At birth, while all signals are blocked. 0 or -errno. NULL: in the spawner, whose other signals
 * have their default dispositions, for workers of any options.
 */
int dispositions_prepare(const struct brood_options *options);
/* In a worker that is prepared: all that the options ask for; unblocks the signals. */
int dispositions_open(const struct brood_options *options);
/* In the spawner, as the last; and in a worker that has all of that and ran no hook. */
void dispositions_prepare_watch(const struct brood_options *options);
void dispositions_inherit(void);
/* To be called after worker_init. */
void dispositions_ready(const struct brood_options *options);

#endif
