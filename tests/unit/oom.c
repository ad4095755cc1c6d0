/* SPDX-License-Identifier: MIT */
/* oom.c - whose death a kill of the kernel is, with a fake clock. */
#include "pool/oom.h"
#include "pool/pressure.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_oom, .timeout = 20);

#define AT (1000 * NS_PER_S)

Test(unit_oom, one_death_a_kill)
{
	struct oom o;

	oom_begin(&o, 7);
	cr_assert(!oom_claim(&o, 7, AT), "kills before the start are nobody's");
	cr_assert(oom_claim(&o, 8, AT));
	cr_assert(!oom_claim(&o, 8, AT), "one kill is one death");
	cr_assert(oom_claim(&o, 10, AT));
	cr_assert(
		oom_claim(&o, 10, AT + OOM_FRESH_NS), "three workers died, and two by the kernel");
	cr_assert(!oom_claim(&o, 10, AT + OOM_FRESH_NS));
}

Test(unit_oom, a_kill_that_no_worker_claims_is_over)
{
	struct oom o;

	oom_begin(&o, 0);
	cr_assert(oom_claim(&o, 3, AT), "a worker, and two processes of its job");
	cr_assert(!oom_claim(&o, 3, AT + OOM_FRESH_NS + 1), "killed from outside, later");
	cr_assert(oom_claim(&o, 4, AT + OOM_FRESH_NS + 2));
	cr_assert(!oom_claim(&o, 4, AT + OOM_FRESH_NS + 3));
}

Test(unit_oom, pressure_lasts_until_no_word_comes)
{
	struct pressure p = { 0 };

	cr_assert(!pressure_over(&p, AT), "it never was");
	cr_assert(pressure_word(&p, AT));
	cr_assert(pressure_is_on(&p));
	cr_assert(!pressure_word(&p, AT + 2 * NS_PER_S), "the first word alone is news");
	cr_assert(!pressure_over(&p, AT + PRESSURE_CALM_NS), "the second one counts on");
	cr_assert(pressure_over(&p, AT + 2 * NS_PER_S + PRESSURE_CALM_NS));
	cr_assert(!pressure_is_on(&p));
	cr_assert(!pressure_over(&p, TIME_NEVER - 1), "and says so once");
	cr_assert(pressure_word(&p, 0), "at any time");
	cr_assert(pressure_is_on(&p));
}
