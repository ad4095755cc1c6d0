/* SPDX-License-Identifier: MIT */
/*
 * manager_pace.h - when the service manager is told. Some changes are told at once: a pool degrades
 * or recovers, the engine has new words, the stop begins. Figures change with each job, and are
 * told by a pace: a while after the first change (MANAGER_SETTLE_NS), and so long after the text
 * before (MANAGER_PACE_NS; MANAGER_QUICK_NS while the brood starts or stops). A look that finds
 * nothing new is the last one until something happens: an idle brood says nothing, and its
 * supervisor does not wake up.
 *
 * While the brood starts or stops, each step forward asks the manager for more time
 * (EXTEND_TIMEOUT_USEC=): a slow start of many workers is no hang, and a start in which no worker
 * gets ready still ends by TimeoutStartSec=.
 */
#ifndef BROOD_POOL_MANAGER_PACE_H
#define BROOD_POOL_MANAGER_PACE_H

#include "manager_status.h"

#define MANAGER_SETTLE_NS NS_PER_S
#define MANAGER_PACE_NS   (5 * NS_PER_S)
#define MANAGER_QUICK_NS  NS_PER_S
#define MANAGER_EXTEND_MS 30000u /* what a step forward asks for, at least */

/* What was told, and how far the brood had come then. */
struct manager_pace {
	uint64_t said_ns; /* 0: nothing was told yet */
	uint64_t progress;
	enum manager_phase phase;
	char said[MANAGER_STATUS_MAX];
};
/* Something has changed: when is the text to be looked at? */
uint64_t manager_pace_next(const struct manager_pace *p, enum manager_phase phase, uint64_t now);
/* True: the text is news. It counts as told now. */
bool manager_pace_take(struct manager_pace *p, const char *text, uint64_t now);
/*
 * True: the brood has come a step forward since the last call, on its way to be ready, or to its
 * end. The first call of a phase only notes where the brood stands.
 */
bool manager_pace_steps(struct manager_pace *p, const struct manager_state *state);
/* How many microseconds a step forward asks for: the next step may need a birth, init_ms long. */
uint64_t manager_pace_extend_us(enum manager_phase phase, uint32_t init_ms);

#endif
