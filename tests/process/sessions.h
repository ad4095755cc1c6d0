/* SPDX-License-Identifier: MIT */
/* sessions.h - what the tests of sessions have in common: pools that a spawner makes. */
#ifndef BROOD_TESTS_SESSIONS_H
#define BROOD_TESTS_SESSIONS_H

#include "../helpers/pool.h"

#include <signal.h>

#define SOON_MS 10000

static struct brood *brood;

static inline void start(uint32_t workers)
{
	struct brood_options options = {
		.workers = workers, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};

	brood = pool_start(&options);
}

static inline pid_t spawner_of(pid_t supervisor)
{
	pid_t pid = 0;

	CHECK(WAIT_UNTIL((pid = proc_spawner(supervisor)) > 0, SOON_MS));
	return pid;
}

/* Returns when another spawner is there. Workers that live keep their session. */
static inline pid_t replace_spawner(void)
{
	uint64_t deaths = pool_stats(brood).spawner_deaths;

	CHECK_EQ(kill(spawner_of(proc_supervisor()), SIGKILL), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).spawner_deaths == deaths + 1, SOON_MS));
	return spawner_of(proc_supervisor());
}

static inline void replace_worker(pid_t worker)
{
	uint64_t spawned = pool_stats(brood).spawned;

	CHECK_EQ(kill(worker, SIGKILL), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).spawned == spawned + 1 && pool_full(brood), SOON_MS));
}

#endif
