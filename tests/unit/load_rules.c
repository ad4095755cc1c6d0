/* SPDX-License-Identifier: MIT */
/* load_rules.c - which verdict brood-load takes for right: a table of kinds and outcomes. */
#include "../../tools/load/load.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <stdlib.h>
#include <string.h>

TestSuite(unit_load_rules, .timeout = 60);

#define RUN_MS 1000

/* What the rules ask of the rest of brood-load. */
const struct work *job_work(enum kind kind, bool whole)
{
	static const struct work work = { NULL, "job", 4 };

	(void)kind;
	(void)whole;
	return &work;
}

unsigned options_run_ms(const struct options *o)
{
	(void)o;
	return RUN_MS;
}

static struct options options;
static struct engine engine;

static void setup(void)
{
	engine.options = &options;
	engine.tally = mmap(NULL, sizeof *engine.tally, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* as in a run: its shards want a page each */
	cr_assert_neq(engine.tally, MAP_FAILED);
	engine.slots = 4;
	engine.paths = 1u << BROOD_PATH_LEASE;
}

static void teardown(void) { munmap(engine.tally, sizeof *engine.tally); }

static struct brood_verdict verdict(enum brood_outcome outcome)
{
	return (struct brood_verdict){ .size = sizeof(struct brood_verdict),
		.outcome = outcome,
		.id = 1,
		.started = 1,
		.pid = 17,
		.slot = 3,
		.generation = 1,
		.attempts = 1,
		.path = BROOD_PATH_LEASE,
		.run_us = 5000,
		.name = "job" };
}

static const char *judged(enum kind kind, uint64_t value, struct brood_verdict v)
{
	const struct load_job job = { .kind = kind, .arg.value = value };

	return rules_judge(&engine, &job, &v);
}

static struct brood_verdict with_code(enum brood_outcome outcome, int code)
{
	struct brood_verdict v = verdict(outcome);

	v.code = code;
	return v;
}

static struct brood_verdict crashed(int signal, enum brood_detail detail)
{
	struct brood_verdict v = verdict(BROOD_CRASHED);

	v.signal = signal;
	v.detail = detail;
	return v;
}

Test(unit_load_rules, jobs_that_end_well, .init = setup, .fini = teardown)
{
	static const enum kind kinds[] = { KIND_NOP, KIND_ECHO, KIND_SLEEP, KIND_SPIN, KIND_ALLOC,
		KIND_SYSCALLS };

	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		cr_assert_null(judged(kinds[i], 1000, verdict(BROOD_DONE)), "kind %u", kinds[i]);
		cr_assert_not_null(judged(kinds[i], 1000, with_code(BROOD_FAILED, 7)));
		cr_assert_not_null(
			judged(kinds[i], 1000, with_code(BROOD_FAILED, CODE_BAD_REQUEST)));
		cr_assert_not_null(judged(kinds[i], 1000, crashed(SIGSEGV, 0)));
		cr_assert_not_null(judged(kinds[i], 1000, with_code(BROOD_EXITED, CODE_EXIT)));
		cr_assert_not_null(judged(kinds[i], 1000, verdict(BROOD_CANCELLED)));
		cr_assert_not_null(judged(kinds[i], 1000, verdict(BROOD_LOST)));
	}
}

Test(unit_load_rules, run_times, .init = setup, .fini = teardown)
{
	/* the verdict says 5000 us */
	static const enum kind kinds[] = { KIND_SLEEP, KIND_SPIN };

	for (unsigned i = 0; i < 2; i++) {
		cr_assert_null(judged(kinds[i], 4999 * NS_US, verdict(BROOD_DONE)));
		cr_assert_null(judged(kinds[i], 5000 * NS_US, verdict(BROOD_DONE)));
		cr_assert_null(judged(kinds[i], 5001 * NS_US, verdict(BROOD_DONE)), "rounded");
		cr_assert_not_null(judged(kinds[i], 5002 * NS_US, verdict(BROOD_DONE)));
		cr_assert_not_null(judged(kinds[i], 3600 * NS_S, verdict(BROOD_DONE)));
	}
	cr_assert_null(judged(KIND_ALLOC, 1 << 30, verdict(BROOD_DONE)), "bytes are no time");
	cr_assert_null(judged(KIND_SYSCALLS, 1 << 30, verdict(BROOD_DONE)));
}

Test(unit_load_rules, deadlines, .init = setup, .fini = teardown)
{
	static const enum kind for_ever[] = { KIND_HANG, KIND_SPIN };
	struct brood_verdict late = verdict(BROOD_TIMED_OUT), early = late;

	late.run_us = RUN_MS * 1000 - 999;
	early.run_us = RUN_MS * 1000 - 2000;
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_null(judged(for_ever[i], 0, late));
		cr_assert_not_null(judged(for_ever[i], 0, early));
		cr_assert_not_null(judged(for_ever[i], 0, verdict(BROOD_DONE)));
	}
	cr_assert_null(judged(KIND_SLEEP, NS_MS, late), "any job may have run so long");
	cr_assert_not_null(judged(KIND_SLEEP, NS_MS, early));
}

Test(unit_load_rules, jobs_that_end_badly, .init = setup, .fini = teardown)
{
	struct brood_verdict v;

	cr_assert_null(judged(KIND_CRASH, 0, crashed(SIGSEGV, 0)));
	cr_assert_not_null(judged(KIND_CRASH, 0, crashed(SIGBUS, 0)));
	cr_assert_not_null(judged(KIND_CRASH, 0, verdict(BROOD_DONE)));
	cr_assert_not_null(judged(KIND_CRASH, 0, crashed(SIGSEGV, BROOD_DETAIL_PROTOCOL)));
	cr_assert_null(judged(KIND_EXIT, 0, with_code(BROOD_EXITED, CODE_EXIT)));
	cr_assert_not_null(judged(KIND_EXIT, 0, with_code(BROOD_EXITED, 4)));
	cr_assert_null(judged(KIND_FAIL, 0, with_code(BROOD_FAILED, CODE_FAIL)));
	cr_assert_not_null(judged(KIND_FAIL, 0, with_code(BROOD_FAILED, 8)));
	cr_assert_null(judged(KIND_THROW, 0, crashed(SIGABRT, BROOD_DETAIL_LONGJMP)));
	cr_assert_not_null(judged(KIND_THROW, 0, crashed(SIGABRT, 0)));
	v = with_code(BROOD_FAILED, CODE_NO_MEMORY);
	cr_assert_not_null(judged(KIND_LEAK, 0, v));
	v.detail = BROOD_DETAIL_MEMORY;
	cr_assert_null(judged(KIND_LEAK, 0, v));
	cr_assert_not_null(judged(KIND_FORK, 0, verdict(BROOD_DONE)));
	v = verdict(BROOD_DONE);
	v.left = BROOD_LEFT_CHILDREN;
	cr_assert_null(judged(KIND_FORK, 0, v));
}

/* A user's job may end as it likes, but its verdict must be whole. */
Test(unit_load_rules, jobs_of_a_user, .init = setup, .fini = teardown)
{
	struct brood_verdict v = verdict(BROOD_DONE);

	cr_assert_null(judged(KIND_USER, 0, v));
	cr_assert_null(judged(KIND_USER, 0, with_code(BROOD_FAILED, 42)));
	cr_assert_null(judged(KIND_USER, 0, with_code(BROOD_EXITED, 1)));
	cr_assert_null(judged(KIND_USER, 0, crashed(SIGABRT, 0)));
	cr_assert_null(judged(KIND_USER, 0, crashed(SIGKILL, BROOD_DETAIL_PROTOCOL)));
	cr_assert_not_null(judged(KIND_USER, 0, crashed(SIGKILL, BROOD_DETAIL_OUTSIDE)));
	v.pid = 0;
	cr_assert_not_null(judged(KIND_USER, 0, v));
	strcpy(v.name, "other");
	cr_assert_not_null(judged(KIND_USER, 0, v));
}

Test(unit_load_rules, whole_verdicts, .init = setup, .fini = teardown)
{
	struct brood_verdict v;

	v = verdict(BROOD_DONE);
	v.slot = 4;
	cr_assert_not_null(judged(KIND_NOP, 0, v), "there are slots 0 to 3");
	v = verdict(BROOD_DONE);
	v.path = BROOD_PATH_HANDOFF;
	cr_assert_not_null(judged(KIND_NOP, 0, v), "leases were asked for");
	v = verdict(BROOD_DONE);
	v.started = 0;
	cr_assert_not_null(judged(KIND_NOP, 0, v));
	v = verdict(BROOD_DONE);
	v.code = 1;
	cr_assert_not_null(judged(KIND_NOP, 0, v));
	v = crashed(SIGKILL, BROOD_DETAIL_OUTSIDE);
	cr_assert_not_null(judged(KIND_NOP, 0, v), "nobody killed it");
	atomic_store(&engine.tally->killed_ns[17], 1);
	cr_assert_null(judged(KIND_NOP, 0, v));
}

Test(unit_load_rules, refusals, .init = setup, .fini = teardown)
{
	struct brood_verdict v = verdict(BROOD_REFUSED);

	v.started = 0;
	v.detail = BROOD_DETAIL_QUEUE_FULL;
	cr_assert_null(judged(KIND_NOP, 0, v));
	v.detail = BROOD_DETAIL_POISONED;
	cr_assert_not_null(judged(KIND_NOP, 0, v));
	v.detail = BROOD_DETAIL_QUEUE_FULL;
	v.started = 1;
	cr_assert_not_null(judged(KIND_NOP, 0, v));
}
