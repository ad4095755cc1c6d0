/* SPDX-License-Identifier: MIT */
/* settle.h - the jobs of a lease that is over. Under the queue's lock. */
#ifndef BROOD_ENGINE_SETTLE_H
#define BROOD_ENGINE_SETTLE_H

struct lease;

void settle_over(struct lease *lease);

#endif
