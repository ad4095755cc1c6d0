/* SPDX-License-Identifier: MIT */
/* plan_calls.c - lists the rows of jobs that make system calls. */
#include "plan.h"

/*
 * CPU time of the worker. A job with harmless calls costs what their bare traps cost, and little
 * more. 57 calls: 8 us on a machine where a bare call takes 0.14 us.
 */
void plan_calls(struct plan *plan, bool quick)
{
	struct params p = { .workers = 1, .path = BROOD_PATH_LEASE };
	const struct params bare = { .calls = 10 + 57, .fixed = quick ? 500 : 10000 };
	struct group *g = add_group(plan, "calls", ONLY(PINNED));
	uint32_t floor, trusted;

	p.fixed = bare.fixed;
	for (p.calls = 1; p.calls <= 5; p.calls += 4) {
		floor = add_stand(g, &floor_trap, &p);
		say(add_row(g, first(add_stand(g, &bench_calls, &p)), beside(floor, "traps"),
			    "calls.k%u", p.calls),
			"CPU of a worker for a job with %u harmless system calls", p.calls);
		add_bound(g, PINNED, TIMES_AT_MOST, first(floor), 1.15,
			"CPU of a worker for a job with harmless calls: of bare traps");
	}
	p.calls = 10;
	floor = add_stand(g, &floor_bare, &bare);
	say(add_row(g, first(add_stand(g, &bench_calls, &p)), beside(floor, "67 calls"),
		    "calls.full"),
		"the same with 10: there is a look for residue");
	add_bound(g, PINNED, TIMES_AT_MOST, first(floor), 1,
		"CPU of a look for residue: of 57 bare calls");
	p.pair = p.trusted = true;
	trusted = add_stand(g, &bench_calls, &p);
	p.trusted = false;
	say(add_row(g, first(add_stand(g, &bench_calls, &p)), beside(trusted, "TRUSTED"),
		    "calls.open_close"),
		"the same with open() and close() of what was opened");
	p.pair = false;
	p.trusted = true;
	p.calls = 1;
	say(add_row(g, first(add_stand(g, &bench_calls, &p)), beside(floor, "67 calls"),
		    "calls.trusted"),
		"the same with 1 harmless call, flagged BROOD_JOB_TRUSTED");
}
