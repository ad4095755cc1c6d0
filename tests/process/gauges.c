/* SPDX-License-Identifier: MIT */
/* gauges.c - the figures that the supervisor writes for brood_stats() agree with each other. */
#include "../helpers/stage.h"
#include "hooks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

TestSuite(gauges, .timeout = 60);

static struct stage s;
static atomic_uint *looks;

/* In the supervisor, whenever it says something: before, between and after it counts. */
static int agree(enum message_type type)
{
	const struct stats_page *page = s.shared.stats_page;
	uint64_t died = page ? atomic_load(&page->died) : 0;

	(void)type;
	/* those that were born and have not died, with the replacements that are ready already */
	if (died > 0)
		CHECK_LE(died + atomic_load(&page->ready), atomic_load(&page->spawned));
	atomic_fetch_add(looks, 1);
	return 0;
}

/*
 * All workers die while the supervisor is stopped, so it hears of all deaths at once. Whoever reads
 * that a worker has died does not read that the worker is ready.
 */
static void deaths(void)
{
	looks = case_shared();
	stage_init(&s, STAGE_WORKERS);
	atomic_store(&hooks.sending, agree);
	stage_start(&s);
	STATS_PAGE(&s, STAGE_WORKERS, 0, 0, 0);
	kill(getppid(), SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(getppid()) == 'T', STAGE_MS));
	for (int i = 0; i < STAGE_WORKERS; i++)
		stage_die(&s.workers[i], SIGKILL);
	atomic_store(looks, 0);
	kill(getppid(), SIGCONT);
	CHECK(WAIT_UNTIL(atomic_load(&s.shared.stats_page->died) == STAGE_WORKERS, STAGE_MS));
	CHECK(WAIT_UNTIL(atomic_load(looks) > 0, STAGE_MS)); /* lines of the log */
	stage_end(&s);
}
Test(gauges, who_has_died_is_not_ready) { case_run(deaths, 30000); }
