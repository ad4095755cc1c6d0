/* SPDX-License-Identifier: MIT */
/* find_max.c - the search against pools that are made up here: their true highest rate is known. */
#include "../../tools/load/find_max.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(unit_find_max, .timeout = 60);

struct pool {
	double most;        /* a rate up to this holds */
	unsigned unlucky;   /* each so-many-th trial of a good rate fails; 0: none */
	double long_factor; /* a longer run holds up to this part of `most` only */
	unsigned trials, long_trials, bad_luck;
};

static bool try_rate(struct pool *p, const struct find_max *f)
{
	bool longer = f->phase == FIND_MAX_CONFIRM;

	p->trials++;
	p->long_trials += longer;
	cr_assert_lt(p->trials, 120, "the search ends");
	cr_assert(f->rate >= FIND_MAX_LOWEST && f->rate <= FIND_MAX_HIGHEST);
	if (p->unlucky && ++p->bad_luck % p->unlucky == 0 && !longer)
		return false;
	return f->rate <= p->most * (longer ? p->long_factor : 1);
}

static double search(struct pool *p, double first)
{
	struct find_max f;

	find_max_begin(&f, first);
	while (find_max_goes_on(&f))
		find_max_tell(&f, try_rate(p, &f));
	return f.phase == FIND_MAX_FOUND ? f.rate : 0;
}

Test(unit_find_max, any_pool_from_any_begin)
{
	for (double most = 1; most < 1e7; most *= 1.37) {
		for (double first = 1; first < 1e7; first *= 13) {
			struct pool p = { .most = most, .long_factor = 1 };
			double found = search(&p, first);

			cr_assert(found <= most && found * (1 + FIND_MAX_GAP) >= most * 0.999,
				"%g found for %g from %g", found, most, first);
			cr_assert_eq(p.long_trials, 1);
			cr_assert_leq(p.trials, 62);
		}
	}
}

Test(unit_find_max, a_pool_that_no_rate_overloads)
{
	struct pool p = { .most = INFINITY, .long_factor = 1 };

	cr_assert(search(&p, 1000) >= FIND_MAX_HIGHEST);
}

Test(unit_find_max, a_pool_that_holds_nothing)
{
	struct pool p = { .most = 0, .long_factor = 1 };

	cr_assert(search(&p, 1000) <= 0);
	cr_assert_eq(p.long_trials, 0);
}

/* One failure in the search may be bad luck: the rate is tried a second time. */
Test(unit_find_max, bad_luck_costs_no_rate)
{
	for (unsigned unlucky = 2; unlucky < 9; unlucky++) {
		struct pool p = { .most = 3777, .unlucky = unlucky, .long_factor = 1 };
		double found = search(&p, 1000);

		cr_assert(found <= 3777 && found >= 3777 * 0.97, "%g", found);
	}
}

/* What holds for a short time only is no answer. */
Test(unit_find_max, the_longer_run_decides)
{
	struct pool p = { .most = 10000, .long_factor = 0.9 }, worse = p;
	double found = search(&p, 1000);

	cr_assert(found <= 9000 && found >= 8200, "%g", found);
	cr_assert_gt(p.long_trials, 1);
	worse.long_factor = 0.5;
	cr_assert(search(&worse, 1000) <= 0, "a search that was so wrong has no answer");
	cr_assert_eq(worse.long_trials, 2 * FIND_MAX_CONFIRMS, "each is tried twice");
}
