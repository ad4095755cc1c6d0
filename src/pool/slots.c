/* SPDX-License-Identifier: MIT */
/*
 * slots.c - see slots.h. A slot is in exactly one list, that of its state, and the counts are the
 * lengths of the lists.
 */
#include "slots.h"

#include <stdlib.h>

#define TO(state) (1u << (state))

/*
 * To EMPTY: a worker may die in any state. A worker that becomes ready is IDLE first, even if a job
 * waits for it. A worker that is ENDING takes no more jobs.
 */
static const unsigned slots_moves[SLOT_STATES] = {
	[SLOT_EMPTY] = TO(SLOT_ORDERED) | TO(SLOT_STARTING) | TO(SLOT_SPARE),
	[SLOT_ORDERED] = TO(SLOT_STARTING) | TO(SLOT_EMPTY),
	[SLOT_STARTING] = TO(SLOT_IDLE) | TO(SLOT_ENDING) | TO(SLOT_EMPTY),
	[SLOT_IDLE] = TO(SLOT_BUSY) | TO(SLOT_LEASED) | TO(SLOT_ENDING) | TO(SLOT_EMPTY),
	[SLOT_BUSY] = TO(SLOT_IDLE) | TO(SLOT_ENDING) | TO(SLOT_EMPTY),
	[SLOT_LEASED] = TO(SLOT_IDLE) | TO(SLOT_ENDING) | TO(SLOT_EMPTY),
	[SLOT_ENDING] = TO(SLOT_EMPTY) | TO(SLOT_UNDEAD),
	[SLOT_UNDEAD] = TO(SLOT_EMPTY) | TO(SLOT_SPARE),
	[SLOT_SPARE] = TO(SLOT_EMPTY),
};

void slots_add(struct slots *s, struct slot_link *l, enum slot_state state)
{
	l->state = state;
	if (state == SLOT_IDLE)
		list_insert(&l->link, &s->lists[state]);
	else
		list_append(&l->link, &s->lists[state]);
	s->counts[state]++;
}

void slots_init(struct slots *s)
{
	for (int i = 0; i < SLOT_STATES; i++) {
		list_init(&s->lists[i]);
		s->counts[i] = 0;
	}
}

uint32_t slots_working(const struct slots *s)
{
	uint32_t count = 0;

	for (int state = SLOT_EMPTY; state <= SLOT_ENDING; state++)
		count += s->counts[state];
	return count;
}

void slots_undead(struct slots *s, struct slot_link *l)
{
	struct slot_link *spare = slots_first(s, SLOT_SPARE);

	slots_move(s, l, SLOT_UNDEAD);
	if (spare)
		slots_move(s, spare, SLOT_EMPTY);
}

void slots_cool(struct slots *s, struct slot_link *l)
{
	list_remove(&l->link);
	list_append(&l->link, &s->lists[SLOT_IDLE]);
}

void slots_warm(struct slots *s, struct slot_link *l)
{
	list_remove(&l->link);
	list_insert(&l->link, &s->lists[SLOT_IDLE]);
}

struct slot_link *slots_coldest(struct slots *s)
{
	struct list *idle = &s->lists[SLOT_IDLE];

	return list_empty(idle) ? NULL : container_of(idle->prev, struct slot_link, link);
}

void slots_revive(struct slots *s, struct slot_link *l, uint32_t workers)
{
	slots_move(s, l, slots_working(s) < workers ? SLOT_EMPTY : SLOT_SPARE);
}

void slots_move(struct slots *s, struct slot_link *l, enum slot_state to)
{
	if ((unsigned)l->state >= SLOT_STATES || (unsigned)to >= SLOT_STATES ||
		!(slots_moves[l->state] & TO(to)))
		abort();
	list_remove(&l->link);
	s->counts[l->state]--;
	slots_add(s, l, to);
}

struct slot_link *slots_first(struct slots *s, enum slot_state state)
{
	struct list *first = list_first(&s->lists[state]);

	return first ? container_of(first, struct slot_link, link) : NULL;
}
