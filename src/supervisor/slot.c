/* SPDX-License-Identifier: MIT */
/*
 * slot.c - a slot's state. Whoever moves one has not to think of what follows: the notes say it.
 */
#include "internal.h"
#include "slot.h"

void slot_move(struct slot *slot, enum slot_state to)
{
	struct supervisor *s = slot->supervisor;
	uint32_t notes = NOTE_GAUGES | NOTE_STOP;

	if (slot->link.state == SLOT_STARTING || to == SLOT_UNDEAD)
		notes |= NOTE_POOL;
	if (slot->link.state == SLOT_LEASED || to == SLOT_IDLE)
		notes |= NOTE_QUEUE;
	if (to == SLOT_EMPTY || to == SLOT_UNDEAD)
		notes |= NOTE_BIRTH | NOTE_QUEUE;
	if (to == SLOT_UNDEAD)
		slots_undead(&s->slots, &slot->link);
	else
		slots_move(&s->slots, &slot->link, to);
	note(s, notes);
}
