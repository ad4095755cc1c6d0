/* SPDX-License-Identifier: MIT */
/* gauges.c - the figures that the supervisor writes for brood_stats() agree with each other. */
#include "../helpers/stage.h"
#include "hooks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

TestSuite(gauges, .timeout = 60);

static struct stage s;

/*
 * Looked at by this process and, whenever it says something, by the supervisor: before, between and
 * after it counts. `died` is read first, as brood_stats() does. Those that replace the dead may be
 * ready already.
 */
static bool have_died(uint64_t count)
{
	const struct stats_page *page = s.shared.stats_page;
	uint64_t died = page ? atomic_load(&page->died) : 0;

	if (died > 0) {
		uint32_t ready = atomic_load(&page->ready);

		CHECK_LE(died + ready, atomic_load(&page->spawned));
	}
	return died >= count;
}

static int agree(enum message_type type)
{
	(void)type;
	have_died(0);
	return 0;
}

/*
 * All workers die while the supervisor is stopped, so it hears of all deaths at once. Whoever reads
 * that a worker has died does not read that the worker is ready.
 */
static void deaths(void)
{
	stage_init(&s, STAGE_WORKERS);
	atomic_store(&hooks.sending, agree);
	stage_start(&s);
	STATS_PAGE(&s, STAGE_WORKERS, 0, 0, 0);
	kill(getppid(), SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(getppid()) == 'T', STAGE_MS));
	for (int i = 0; i < STAGE_WORKERS; i++)
		stage_die(&s.workers[i], SIGKILL);
	kill(getppid(), SIGCONT);
	CHECK(WAIT_UNTIL(have_died(STAGE_WORKERS), STAGE_MS));
	stage_end(&s);
}
Test(gauges, who_has_died_is_not_ready) { case_run(deaths, 30000); }
