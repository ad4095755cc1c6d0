/* SPDX-License-Identifier: MIT */
/*
 * recall.h - a lease is taken back.
 */
#ifndef BROOD_SUPERVISOR_RECALL_H
#define BROOD_SUPERVISOR_RECALL_H

#include "slot.h"

void recall_lease(struct slot *slot);
/* those that could not be sent before */
void recall_send_again(struct pool *pool);

#endif
