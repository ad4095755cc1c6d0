/* SPDX-License-Identifier: MIT */
/* window.c - see window.h. */
#include "window.h"

#include <stdlib.h>
#include <string.h>

#define MEAN_OF 8 /* the mean counts about so many items */
/* Longer run times count as this long, so that other items weigh in soon. */
#define LONG_NS UINT64_C(100000000)

/*
 * A caller that breaks a rule of this module has a bug: abort, since the program must not go on
 * with results in a wrong order.
 */
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

/* Until items were measured, each counts as long, so at_once stays at its least. */
void window_adapt(struct window *w, size_t most)
{
	w->pace = (struct window_pace){
		.least = w->at_once, .most = most, .run_ns = WINDOW_AHEAD_NS
	};
}

static uint64_t mean(uint64_t before, uint64_t value)
{
	return before - before / MEAN_OF + value / MEAN_OF;
}

/*
 * How many items may be out. `least` is two for each worker: so many, if items run as long as
 * WINDOW_AHEAD_NS; shorter items make it more, large ones less.
 */
static uint64_t wanted(const struct window_pace *p)
{
	uint64_t by_time = p->least * WINDOW_AHEAD_NS / (p->run_ns + 1) / 2;
	uint64_t by_bytes = WINDOW_AHEAD_BYTES / (p->bytes + 1);

	return by_time < by_bytes ? by_time : by_bytes;
}

/*
 * at_once grows by one at most for each item that ends. So it doubles while all that were out end.
 */
void window_measured(struct window *w, uint64_t run_ns, uint64_t bytes)
{
	struct window_pace *p = &w->pace;
	uint64_t want;

	if (p->most == 0)
		return;
	p->run_ns = mean(p->run_ns, run_ns < LONG_NS ? run_ns : LONG_NS);
	p->bytes = mean(p->bytes, bytes);
	want = wanted(p);
	if (want > w->at_once && w->at_once < p->most)
		w->at_once++;
	else if (want < w->at_once)
		w->at_once = want > p->least ? (size_t)want : p->least;
}

bool window_open(const struct window *w)
{
	if (w->over || w->next == w->count || w->out >= w->at_once)
		return false;
	return w->room == 0 || (w->next - w->told < w->room && w->bytes < w->bytes_room);
}

void window_given(struct window *w)
{
	need(window_open(w));
	w->next++;
	w->out++;
}

void window_not_given(struct window *w)
{
	need(w->out > 0 && w->next > w->told);
	w->next--;
	w->out--;
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
