/* SPDX-License-Identifier: MIT */
/*
 * slots.h - the places of the pool and who is in them. Idle slots are a stack, the warmest on top;
 * empty ones a queue. All O(1).
 */
#ifndef BROOD_POOL_SLOTS_H
#define BROOD_POOL_SLOTS_H

#include "../base/base.h"

/* BUSY: the worker has a job that was handed off. */
enum slot_state {
	SLOT_EMPTY,
	/* The spawner was asked for a worker, and has not answered. */
	SLOT_ORDERED,
	SLOT_STARTING,
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_LEASED,
	SLOT_ENDING,
	/*
	 * The process was killed and does not end; or it has ended, and what it left may still
	 * live. The place is not used.
	 */
	SLOT_UNDEAD,
	/* The place is out of use, until it replaces an undead one. */
	SLOT_SPARE,
	SLOT_STATES
};
/* A member of the supervisor's slot. */
struct slot_link {
	struct list link;
	enum slot_state state;
};
struct slots {
	struct list lists[SLOT_STATES];
	uint32_t counts[SLOT_STATES];
};
void slots_init(struct slots *s);
void slots_add(struct slots *s, struct slot_link *l, enum slot_state state); /* adds a new place */
/* How many places are neither undead nor spare. */
uint32_t slots_working(const struct slots *s);
/* ENDING to UNDEAD; a spare place, if there is one, becomes EMPTY for it */
void slots_undead(struct slots *s, struct slot_link *l);
/* IDLE: to the bottom of the stack, so that it is the last to get a job */
void slots_cool(struct slots *s, struct slot_link *l);
/* IDLE: to the top of the stack */
void slots_warm(struct slots *s, struct slot_link *l);
/* The coldest slot in IDLE. NULL: none is idle. */
struct slot_link *slots_coldest(struct slots *s);
/* UNDEAD to EMPTY where the pool is short of places, else to SPARE */
void slots_revive(struct slots *s, struct slot_link *l, uint32_t workers);
/* Moves a slot to another state. Aborts on a move that makes no sense: a bug of the library. */
void slots_move(struct slots *s, struct slot_link *l, enum slot_state to);
/* the first slot in that state, in IDLE the warmest; NULL */
struct slot_link *slots_first(struct slots *s, enum slot_state state);

#endif
