/* SPDX-License-Identifier: MIT */
/*
 * habits.h - which functions usually make system calls that need a look for residue. To watch the
 * calls of such a function costs something, and the look comes all the same. So its jobs are not
 * watched, but for one now and then: a function may change its ways.
 *
 * The table is small. A function that has no place there is watched. A place is taken by the
 * function that was last found to need a look.
 */
#ifndef BROOD_POOL_HABITS_H
#define BROOD_POOL_HABITS_H

#include "../base/base.h"

#define HABITS           64u
#define HABITS_IN_A_ROW  3u  /* after so many jobs that needed a look, jobs are not watched */
#define HABITS_SKIP      15u /* so many jobs; twice as many, and one, after each vain trial */
#define HABITS_SKIP_MOST 255u

struct habits {
	struct habit {
		uintptr_t fn; /* 0: the place is free */
		uint8_t in_a_row;
		uint8_t skip,
			next_skip; /* how many jobs are not watched: now, after a vain trial */
	} of[HABITS];
};
/* True: watch the calls of this job. fn 0: the function is not known. */
bool habits_watch(struct habits *h, uintptr_t fn);
/* Says how a job ended whose calls were watched. looked: it needed a look. */
void habits_note(struct habits *h, uintptr_t fn, bool looked);

#endif
