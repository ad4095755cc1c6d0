/* SPDX-License-Identifier: MIT */
/*
 * death.h - a worker's end.
 */
#ifndef BROOD_SUPERVISOR_DEATH_H
#define BROOD_SUPERVISOR_DEATH_H

#include "slot.h"

source_fn death_readable;         /* the worker's pidfd is readable: it has ended */
source_fn death_channel_readable; /* its channel: what it says, and the end of it */
timer_fn death_end_fired;         /* of a slot that is ENDING or UNDEAD */
/* all that follows, if it has ended */
void death_bury_if_ended(struct slot *slot);
/* The end of its job or lease, if it has one. e: how the worker ended; NULL: it does not end. */
void death_end_job(struct slot *slot, const struct process_exit *e);

#endif
