/* SPDX-License-Identifier: MIT */
/* window.c - see window.h. */
#include "window.h"

#include <stdlib.h>
#include <string.h>

/* A caller that breaks these rules has a bug. The program must not go on with a wrong order. */
static void need(bool holds)
{
	if (!holds)
		abort();
}

void window_init(struct window *w, size_t count, size_t at_once)
{
	need(at_once > 0);
	memset(w, 0, sizeof *w);
	w->count = count;
	w->at_once = at_once;
}

void window_order(struct window *w, struct window_slot *slots, size_t room, uint64_t bytes_room)
{
	need(room > 0 && bytes_room > 0);
	w->slots = slots;
	w->room = room;
	w->bytes_room = bytes_room;
}

bool window_open(const struct window *w)
{
	if (w->over || w->next == w->count || w->out >= w->at_once)
		return false;
	return w->room == 0 || (w->next - w->told < w->room && w->bytes < w->bytes_room);
}

bool window_more(const struct window *w)
{
	return w->next + 1 < w->count && w->out + 1 < w->at_once &&
		(w->room == 0 || w->next + 1 - w->told < w->room);
}

void window_given(struct window *w)
{
	need(window_open(w));
	w->next++;
	w->out++;
}

void window_refused(struct window *w)
{
	need(w->over && w->next < w->count && w->out == 0 && w->held == 0);
	w->next++;
	w->ended++;
}

void window_ended(struct window *w)
{
	need(w->out > 0);
	w->out--;
	w->ended++;
}

bool window_turn(const struct window *w, size_t index) { return w->room == 0 || index == w->told; }

static struct window_slot *slot_of(const struct window *w, size_t index)
{
	return &w->slots[index % w->room];
}

void window_hold(struct window *w, size_t index, void *result, uint64_t bytes)
{
	struct window_slot *slot = slot_of(w, index);

	need(index > w->told && index < w->next && !slot->result && result);
	*slot = (struct window_slot){ .result = result, .bytes = bytes };
	w->held++;
	w->bytes += bytes;
}

void window_told(struct window *w)
{
	need(w->told < w->next);
	w->told++;
}

static void *take(struct window *w, struct window_slot *slot)
{
	void *result = slot->result;

	if (!result)
		return NULL;
	w->held--;
	w->bytes -= slot->bytes;
	*slot = (struct window_slot){ 0 };
	return result;
}

void *window_next(struct window *w) { return w->held == 0 ? NULL : take(w, slot_of(w, w->told)); }

void *window_any(struct window *w)
{
	for (size_t i = 0; w->held > 0 && i < w->room; i++)
		if (w->slots[i].result)
			return take(w, &w->slots[i]);
	return NULL;
}
