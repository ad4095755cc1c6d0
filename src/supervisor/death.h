/* SPDX-License-Identifier: MIT */
/*
 * death.h - a worker's end.
 */
#ifndef BROOD_SUPERVISOR_DEATH_H
#define BROOD_SUPERVISOR_DEATH_H

#include "slot.h"

source_fn death_readable; /* The worker's pidfd is readable: the worker has ended. */
/* The worker's channel is readable: a message, or the channel's end. */
source_fn death_channel_readable;
timer_fn death_end_fired; /* The timer of a slot that is ENDING or UNDEAD. */
/* Does all that a worker's end asks for, if the worker has ended. */
void death_bury_if_ended(struct slot *slot);
/* Ends the worker's job or lease, if any. e: how the worker ended; NULL: it has not ended. */
void death_end_job(struct slot *slot, const struct process_exit *e);

#endif
