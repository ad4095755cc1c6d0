/* SPDX-License-Identifier: MIT */
/*
 * halt.h - the pool's stop: DRAIN (no new jobs; queued and running ones may finish), CANCEL (queued
 * refused, running ones hurried, idle workers asked to end), KILL, DONE. Each step is bounded.
 * CANCEL ends early when no worker is alive and no job is out; then KILL is left out.
 */
#ifndef BROOD_POOL_HALT_H
#define BROOD_POOL_HALT_H

#include "../base/base.h"

#define HALT_KILL_MS 5000
enum halt_phase { HALT_NONE, HALT_DRAIN, HALT_CANCEL, HALT_KILL, HALT_DONE };
struct halt {
	enum halt_phase phase;
	uint64_t next;
	uint32_t stop_ms;
};
/* Begins the stop. Called again, it can only shorten the stop. */
void halt_begin(struct halt *h, uint64_t now, uint32_t drain_ms, uint32_t stop_ms);
/*
 * Enters the next phase if its time has come, or if the present one has nothing left to do. Returns
 * true if the phase has changed: then act on the new phase, and call again.
 */
bool halt_step(struct halt *h, uint64_t now, uint32_t jobs_out, uint32_t workers_alive);

#endif
