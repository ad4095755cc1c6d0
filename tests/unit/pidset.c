/* SPDX-License-Identifier: MIT */
/* pidset.c - the set of pids, compared with a plain array. */
#include "os/pidset.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define PIDS  300
#define STEPS 20000

TestSuite(unit_pidset, .timeout = 60);

/* Neighbours, and pids at both ends of what a kernel gives. */
static pid_t pid_of(unsigned i) { return (pid_t)(i < PIDS / 2 ? 1 + i : 4194304 - PIDS + i); }

Test(unit_pidset, has_what_was_added)
{
	bool in[PIDS] = { false };

	srand(1);
	for (int step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand() % PIDS;

		in[i] = rand() % 2;
		if (in[i])
			pidset_add(pid_of(i));
		else
			pidset_remove(pid_of(i));
		for (unsigned k = 0; k < PIDS; k++)
			cr_assert_eq(pidset_has(pid_of(k)), in[k]);
	}
}

Test(unit_pidset, add_and_remove)
{
	cr_assert(!pidset_has(1000));
	pidset_add(1000);
	pidset_add(1000);
	cr_assert(pidset_has(1000));
	cr_assert(!pidset_has(1001) && !pidset_has(999) && !pidset_has(1064));
	pidset_remove(1000);
	cr_assert(!pidset_has(1000));
	pidset_remove(1000);
	cr_assert(!pidset_has(1000));
}
