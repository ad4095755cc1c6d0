/* SPDX-License-Identifier: MIT */
/*
 * manager_status.h - what the service manager is told in STATUS=: the engine's own words in front,
 * then the state.
 */
#ifndef BROOD_POOL_MANAGER_STATUS_H
#define BROOD_POOL_MANAGER_STATUS_H

#include "../base/base.h"

#define MANAGER_OWN_MAX    208 /* bytes of the engine's own words with their NUL */
#define MANAGER_STATUS_MAX 512 /* bytes of a text with its NUL */

enum manager_phase {
	MANAGER_STARTING,
	MANAGER_SERVING,
	MANAGER_LEAVING, /* a stop signal came: serves on for stop_delay_ms */
	MANAGER_STOPPING,
};
struct manager_state {
	enum manager_phase phase;
	uint32_t ready, workers;
	uint32_t busy, leased, idle; /* busy: with a job by handoff; leased: on lease */
	uint32_t alive;              /* processes of workers */
	uint64_t queued;             /* jobs that wait, in the supervisor and in the engine */
	uint64_t jobs, deaths;       /* since the start */
	uint32_t delay_ms;           /* LEAVING: stop_delay_ms */
	char trouble[96];            /* what is wrong, such as "degraded: ..."; "": nothing */
};
/* Writes the text, without STATUS=. own: the engine's words, or "". */
void manager_status_text(
	const struct manager_state *state, const char *own, char *text, size_t size);

#endif
