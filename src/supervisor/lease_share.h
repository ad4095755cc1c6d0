/* SPDX-License-Identifier: MIT */
/* lease_share.h - takes leases back for jobs and requests that wait. */
#ifndef BROOD_SUPERVISOR_LEASE_SHARE_H
#define BROOD_SUPERVISOR_LEASE_SHARE_H

#include "slot.h"

void lease_share_recall(struct pool *pool);
timer_fn lease_share_fired;

#endif
