/* SPDX-License-Identifier: MIT */
/*
 * chaos_schedule.h - when which act is due, and with which random number. The acts, the seed and
 * the act's number decide, so the same seed gives the same list. The time comes from the caller: no
 * clock and no system call is here.
 */
#ifndef BROOD_LOAD_CHAOS_SCHEDULE_H
#define BROOD_LOAD_CHAOS_SCHEDULE_H

#include "chaos_spec.h"

/*
 * Acts that are behind their time are made up for, up to so much. A repeated act that is later
 * comes as `late`: it is to be left out.
 */
#define CHAOS_DEBT_NS 500000000ull

/* An act that lasts: its end comes to the caller with what the caller has left here. */
struct chaos_held {
	uint64_t until_ns; /* 0: this place is free */
	uint32_t act, mark;
	int32_t pid; /* 0: it hit no process of its own */
};
struct chaos_schedule {
	const struct chaos_spec *spec;
	uint64_t seed, start_ns, end_ns;
	bool begun, over;
	uint64_t taken[CHAOS_ACTS_MAX]; /* the number of the next time of each act */
	unsigned held_count;
	struct chaos_held held[CHAOS_HELD_MAX];
};
struct chaos_event {
	uint32_t act;
	bool late;
	bool ends;              /* an act that lasts is over: `held` says which */
	struct chaos_held held; /* only if it ends */
	uint64_t number;        /* counts the times of this act */
	uint64_t planned_ns;
	uint64_t random;
};

void chaos_schedule_init(struct chaos_schedule *s, const struct chaos_spec *spec, uint64_t seed);
/* end_ns: no act begins later, but for those at the end; CHAOS_NEVER: the end is not known. */
void chaos_schedule_begin(struct chaos_schedule *s, uint64_t start_ns, uint64_t end_ns);
/* The load is over: all that lasts ends now, and acts that are `at end` are due. */
void chaos_schedule_end(struct chaos_schedule *s);
/* When something is due next; CHAOS_NEVER: nothing will be. */
uint64_t chaos_schedule_next(const struct chaos_schedule *s);
/* True: *ret is due. The earliest comes first, and an end before a begin. */
bool chaos_schedule_take(struct chaos_schedule *s, uint64_t now, struct chaos_event *ret);
/* The act lasts from now on until held->until_ns. False: too many do. */
bool chaos_schedule_hold(struct chaos_schedule *s, const struct chaos_held *held);
/* True: an act of this kind lasts. pid: one that hit this process; 0: any. */
bool chaos_schedule_holds(const struct chaos_schedule *s, uint32_t kind, int32_t pid);

#endif
