/* SPDX-License-Identifier: MIT */
/*
 * plan_loan.c - requests in memory on loan: what a job costs must not depend on the size, if it
 * reads one byte. Beside it stand a job that touches all, and the same request copied.
 */
#include "plan.h"

static const struct {
	const char *name;
	uint32_t bytes;
} sizes[] = { { "64k", 64u << 10 }, { "1m", 1u << 20 }, { "64m", 64u << 20 } };

#define SIZES (sizeof sizes / sizeof sizes[0])

void plan_loan(struct plan *plan)
{
	struct params p = { .workers = 2, .path = BROOD_PATH_LEASE };
	struct group *g = add_group(plan, "loan", BOTH);
	uint32_t first_one = 0;

	for (uint32_t i = 0; i < SIZES; i++) {
		uint32_t one, all, copy;

		p.bytes = sizes[i].bytes;
		one = add_stand(g, &bench_loan, &p);
		all = add_stand(g, &bench_loan_all, &p);
		copy = add_stand(g, &bench_loan_copy, &p);
		if (i == 0)
			first_one = one;
		say(add_row(g, first(one), beside(first_one, "64 KiB"), "loan.%s", sizes[i].name),
			"brood_call(), %u bytes on loan, of which the job reads one", p.bytes);
		if (i == SIZES - 1)
			add_bound(g, PINNED, TIMES_AT_MOST, first(first_one), 1.2,
				"64 MiB on loan, one byte is read: of 64 KiB");
		say(add_row(g, first(all), beside(one, "one byte"), "loan.%s.all", sizes[i].name),
			"the same, and the job touches each cache line");
		say(add_row(g, first(copy), beside(one, "on loan"), "loan.%s.copy", sizes[i].name),
			"brood_call(), %u bytes copied, of which the job reads one", p.bytes);
	}
}
