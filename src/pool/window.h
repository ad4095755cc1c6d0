/* SPDX-License-Identifier: MIT */
/*
 * window.h - the items of a map: which item is given next, and whose result the program has next.
 *
 * 	given                            told                             next            count
 * 	  |  all had their turn            |  out, or held until its turn   |  not given    |
 * 	  0 ------------------------------------------------------------------------------->
 *
 * In order, the window is what lies between `told` and `next`. It is at most `room` items wide, and
 * closes while the results in it that wait for their turn (held) have `bytes_room` bytes. When
 * nothing is out, nothing is held either, so the window is open: a map always gets on.
 *
 * As they come, each result has its turn at once, and `told` is a number of items.
 *
 * How many may be out (`at_once`) is what the program says. Where it says nothing, the number grows
 * while items are short and small: giving an item and hearing of its end costs microseconds each
 * time that a thread has to be woken for it, and nothing when others are on their way. The number
 * stays so low that all that is out takes a moment (WINDOW_AHEAD_NS a worker) and few bytes.
 */
#ifndef BROOD_POOL_WINDOW_H
#define BROOD_POOL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_AHEAD_NS    UINT64_C(500000)    /* run time of what is out, a worker */
#define WINDOW_AHEAD_BYTES (UINT64_C(1) << 20) /* requests and replies of what is out */

struct window_slot {
	void *result; /* the caller's; NULL: none is held */
	uint64_t bytes;
};
struct window_pace {
	size_t least, most; /* of at_once; most 0: at_once is the program's */
	/* of an item, a mean in which the last ones count most */
	uint64_t run_ns, bytes;
};
struct window {
	size_t count; /* items of the map */
	size_t next;  /* the item to give next */
	size_t told;  /* results that had their turn; in order: the item whose turn it is */
	size_t ended; /* items with a result */
	size_t out;   /* items given, without a result */
	size_t at_once;
	bool over; /* give no more */
	struct window_pace pace;
	/* in order; room 0: as they come */
	struct window_slot *slots; /* the caller's, `room` of them, zero at first */
	size_t room, held;
	uint64_t bytes, bytes_room;
};

void window_init(struct window *w, size_t count, size_t at_once);
void window_order(struct window *w, struct window_slot *slots, size_t room, uint64_t bytes_room);

/* at_once, which is two a worker now, may grow to `most`, and shrinks again to what it was. */
void window_adapt(struct window *w, size_t most);
/* An item has run for so long. bytes: of its request and its reply. */
void window_measured(struct window *w, uint64_t run_ns, uint64_t bytes);

/* May the item `next` be given? */
bool window_open(const struct window *w);
/* Will another one follow at once, when the item `next` has been given? */
bool window_more(const struct window *w);
void window_given(struct window *w);
/* The item `next` cannot be given any more, and nothing is out: it has its result without a job. */
void window_refused(struct window *w);
/* An item that was given has its result. */
void window_ended(struct window *w);

/* Has the result of this item its turn? If not, it is held. */
bool window_turn(const struct window *w, size_t index);
void window_hold(struct window *w, size_t index, void *result, uint64_t bytes);
/* A result that had its turn was told. */
void window_told(struct window *w);
/* The held result that has its turn now, which is no more held; NULL: there is none. */
void *window_next(struct window *w);
/* Any held result, for who drops them all; NULL: there is none. */
void *window_any(struct window *w);

/* Has every item had its turn? */
static inline bool window_all(const struct window *w) { return w->told == w->count; }

#endif
