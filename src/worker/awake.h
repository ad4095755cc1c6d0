/* SPDX-License-Identifier: MIT */
/* awake.h - a worker on lease looks for its next job for a moment before it sleeps. */
#ifndef BROOD_WORKER_AWAKE_H
#define BROOD_WORKER_AWAKE_H

#include <stdbool.h>

struct worker_lease;

/* True: there is something to do. False: sleep, by the way of serve.c. */
bool awake_wait(struct worker_lease *l);

#endif
