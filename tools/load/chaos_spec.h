/* SPDX-License-Identifier: MIT */
/*
 * chaos_spec.h - reads the text of --chaos, such as "kill 50/s; stop 1/s for 200ms; reload every
 * 1s", into a list of acts. No clock and no system call is here.
 */
#ifndef BROOD_LOAD_CHAOS_SPEC_H
#define BROOD_LOAD_CHAOS_SPEC_H

#include "chaos.h"

#include <stddef.h>

#define CHAOS_ACTS_MAX 96
#define CHAOS_NEVER    UINT64_MAX
/* So many workers are stopped at a time, at most. */
#define CHAOS_HELD_MAX  1024
#define CHAOS_RATE_MAX  10000
#define CHAOS_TEXT_SIZE 512

/* Times are ns after the begin of the load. */
struct chaos_act {
	uint32_t kind;
	uint32_t min, max; /* resize */
	bool at_end;       /* once, when the load is over */
	bool scattered;    /* at a random moment of each interval; else right at its end */
	uint64_t at_ns;    /* the first time; CHAOS_NEVER: one interval after the begin */
	uint64_t every_ns; /* the interval; 0: only once */
	uint64_t for_ns;   /* how long it lasts; 0: it is over at once */
};
struct chaos_spec {
	char text[CHAOS_TEXT_SIZE]; /* as --chaos gave it; cut, if it is long */
	unsigned count;
	struct chaos_act act[CHAOS_ACTS_MAX];
};

#define CHAOS_WRONG_SIZE 200

/*
 * Adds the acts of the text to *inout. Returns 0, or -EINVAL: then `wrong` says what is wrong and
 * what would be right.
 */
int chaos_spec_parse(
	const char *text, struct chaos_spec *inout, char wrong[static CHAOS_WRONG_SIZE]);
/* Adds one act, as the old options do. Returns 0 or -EINVAL: there are too many. */
int chaos_spec_add(struct chaos_spec *inout, const struct chaos_act *act);
/* An act of this kind, once, at this time: the base from which an option makes its own. */
struct chaos_act chaos_spec_once(uint32_t kind, uint64_t at_ns);
/* True: there is an act of this kind. */
bool chaos_spec_has(const struct chaos_spec *spec, uint32_t kind);
/* An act that would begin after the end only; NULL: there is none such. */
const struct chaos_act *chaos_spec_late(const struct chaos_spec *spec, uint64_t end_ns);
/* The most workers that any act wants; 0: none wants a size. */
uint32_t chaos_spec_workers(const struct chaos_spec *spec);

#endif
