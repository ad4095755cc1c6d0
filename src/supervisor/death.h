/* SPDX-License-Identifier: MIT */
/*
 * death.h - a worker's end.
 */
#ifndef BROOD_SUPERVISOR_DEATH_H
#define BROOD_SUPERVISOR_DEATH_H

#include "slot.h"
#include "../pool/fate.h"

source_fn death_readable;         /* the worker's pidfd is readable: it has ended */
source_fn death_channel_readable; /* its channel: what it says, and the end of it */
timer_fn death_end_fired;         /* of a slot that is ENDING or UNDEAD */
/* all that follows, if it has ended */
void death_bury_if_ended(struct slot *slot);
/* what is known of the job that it ran, whether or not its process has ended */
struct fate_facts death_facts(const struct slot *slot);

#endif
