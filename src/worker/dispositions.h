/* SPDX-License-Identifier: MIT */
/* dispositions.h - what signals mean in a worker. */
#ifndef BROOD_WORKER_DISPOSITIONS_H
#define BROOD_WORKER_DISPOSITIONS_H

#include <brood.h>

/* At birth, while all signals are blocked; unblocks them. 0 or -errno. */
int dispositions_prepare(const struct brood_options *options);
/* To be called after worker_init. */
void dispositions_ready(const struct brood_options *options);

#endif
