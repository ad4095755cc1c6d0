/* SPDX-License-Identifier: MIT */
/*
 * slots.h - the places of the pool and who is in them. Idle slots are a stack, the warmest on top;
 * empty ones a queue. All O(1).
 */
#ifndef BROOD_POOL_SLOTS_H
#define BROOD_POOL_SLOTS_H

#include "../base/base.h"

/* BUSY: with a job that was handed off */
enum slot_state {
	SLOT_EMPTY,
	SLOT_STARTING,
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_LEASED,
	SLOT_ENDING,
	/*
	 * its process was killed and does not end; or it has ended, and what it left may still
	 * live. The place is used for nothing
	 */
	SLOT_UNDEAD,
	/* out of use, until it replaces a place that is undead */
	SLOT_SPARE,
	SLOT_STATES
};
/* embedded in the supervisor's slot */
struct slot_link {
	struct list link;
	enum slot_state state;
};
struct slots {
	struct list lists[SLOT_STATES];
	uint32_t counts[SLOT_STATES];
};
void slots_init(struct slots *s);
void slots_add(struct slots *s, struct slot_link *l, enum slot_state state); /* a new place */
/* places that are neither undead nor spare */
uint32_t slots_working(const struct slots *s);
/* ENDING to UNDEAD; a spare place, if there is one, becomes EMPTY for it */
void slots_undead(struct slots *s, struct slot_link *l);
/* IDLE: to the bottom of the stack, so that it is the last to get a job */
void slots_cool(struct slots *s, struct slot_link *l);
/* IDLE: the coldest. NULL: there is none */
struct slot_link *slots_coldest(struct slots *s);
/* UNDEAD to EMPTY where the pool is short of places, else to SPARE */
void slots_revive(struct slots *s, struct slot_link *l, uint32_t workers);
/* aborts on a move that makes no sense: a bug of ours */
void slots_move(struct slots *s, struct slot_link *l, enum slot_state to);
struct slot_link *slots_first(struct slots *s, enum slot_state state); /* IDLE: the warmest. NULL */

#endif
