/* SPDX-License-Identifier: MIT */
/*
 * stats_page.h - counters. Each pool has a stats page, written by the supervisor and read-only in
 * the engine; the tally is the engine's, for the supervisor to read when the engine has ended.
 * Workers and guard unmap both; the spawner leaves them alone.
 */
#ifndef BROOD_WIRE_STATS_PAGE_H
#define BROOD_WIRE_STATS_PAGE_H

#include "../os/closing.h"
#include "answers.h"

#include <brood-status.h>
#include <brood.h>
#include <stdatomic.h>

/*
 * The supervisor alone writes here. Each field may be read alone, except `died`: the writer stores
 * it last. So a reader that loads `died` first never sees a worker as dead and as ready at once.
 * What is about no pool (strays, guard, spawner, log lines) is counted in the first pool's page.
 */
struct stats_page {
	_Atomic uint32_t workers, ready, idle, busy, starting, queued, queued_peak, degraded;
	_Atomic uint32_t leased, library; /* library: leased, without pinned leases */
	_Atomic uint32_t undead, unused;
	_Atomic uint64_t next_spawn_ns; /* when births go on after a pause; 0: there is no pause */
	_Atomic uint64_t verdicts[BROOD_STATUS_OUTCOMES];
	_Atomic uint64_t leases, leases_revoked;
	_Atomic uint64_t redispatched, retried, spawned, died, killed, retired, spawn_failures,
		strays_killed, guard_deaths, spawner_deaths, logs_dropped;
	_Atomic uint64_t undead_ever;
	_Atomic uint64_t deaths[BROOD_STATUS_CAUSES]; /* by enum brood_status_cause */

	/* For tests. sweeps: how often strays were looked for. */
	_Atomic int32_t guard_pid, spawner_pid;
	_Atomic uint64_t sweeps;
};

struct tally {
	/* How many accepted jobs wait in the engine for a worker. */
	_Atomic uint64_t waiting;
	/*
	 * The pids of the helpers that close files (os/closing.h), as the kernel wrote them: [0]
	 * the supervisor's, [1] the engine's.
	 */
	_Atomic int closers[2][CLOSING_HELPERS];
	_Atomic uint32_t last_words; /* 1: what each slot does was written: last_words.h */
	struct answers answers;
};

#endif
