/* SPDX-License-Identifier: MIT */
/*
 * slot.h - a slot's state. A move notes what follows from it.
 */
#ifndef BROOD_SUPERVISOR_SLOT_H
#define BROOD_SUPERVISOR_SLOT_H

#include "../pool/slots.h"

struct slot;

void slot_move(struct slot *slot, enum slot_state to);

#endif
