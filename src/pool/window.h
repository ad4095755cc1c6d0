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

#define WINDOW_AHEAD_NS    UINT64_C(500000)    /* run time that may be out, for each worker */
#define WINDOW_AHEAD_BYTES (UINT64_C(1) << 20) /* bytes of requests and replies that may be out */

struct window_slot {
	void *result; /* the caller's result; NULL: none is held */
	uint64_t bytes;
};
struct window_pace {
	size_t least, most; /* the bounds of at_once; most 0: the program fixed at_once */
	/* The mean of one item, in which the last items count most. */
	uint64_t run_ns, bytes;
};
struct window {
	size_t count; /* how many items the map has */
	size_t next;  /* the item to give next */
	size_t told;  /* results that had their turn; in order: the item whose turn it is */
	size_t ended; /* items that have a result */
	size_t out;   /* items that were given and have no result */
	size_t at_once;
	bool over; /* true: no more items are given */
	struct window_pace pace;
	/* Results in order wait here for their turn. Without an order `room` is 0. */
	struct window_slot *slots; /* the caller's array of `room` slots, zero at first */
	size_t room, held;
	uint64_t bytes, bytes_room;
};

void window_init(struct window *w, size_t count, size_t at_once);
void window_order(struct window *w, struct window_slot *slots, size_t room, uint64_t bytes_room);

/* From now on at_once (two for each worker) may grow to `most`, and shrink again to this value. */
void window_adapt(struct window *w, size_t most);
/* Tells how long an item ran. bytes: how many its request and its reply had. */
void window_measured(struct window *w, uint64_t run_ns, uint64_t bytes);

/* True: the item `next` may be given. */
bool window_open(const struct window *w);
void window_given(struct window *w);
/* The item before `next`, counted as given, was not given: it is the next item again. */
void window_not_given(struct window *w);
/* The item `next` cannot be given any more, and nothing is out: it has its result without a job. */
void window_refused(struct window *w);
/* An item that was given has its result. */
void window_ended(struct window *w);

/* True: it is the turn of this item's result. Otherwise the caller holds the result. */
bool window_turn(const struct window *w, size_t index);
void window_hold(struct window *w, size_t index, void *result, uint64_t bytes);
/* A result that had its turn was told. */
void window_told(struct window *w);
/* Takes out the held result whose turn it is. NULL: it is not there yet. */
void *window_next(struct window *w);
/* Takes out any held result, for a caller that drops all of them. NULL: there is none. */
void *window_any(struct window *w);

/* True: every item had its turn. */
static inline bool window_all(const struct window *w) { return w->told == w->count; }

#endif
