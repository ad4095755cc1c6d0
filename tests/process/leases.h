/* SPDX-License-Identifier: MIT */
/* leases.h - for tests of how leases end: one fake worker on lease. */
#ifndef BROOD_TESTS_LEASES_H
#define BROOD_TESTS_LEASES_H

#include "../helpers/stage.h"

static const struct stage_limits forever = { BROOD_FOREVER, 30, 0 }, brief = { 40, 30, 0 },
				 with_core = { 40, 30, BROOD_JOB_ABORT };

struct play {
	struct stage s;
	struct message_granted granted;
	struct stage_worker *w;
	uint64_t lease, base;
};

static inline void begin(struct play *p, uint32_t workers)
{
	stage_init(&p->s, workers);
	p->s.options.lease_idle_ms = 60000;
	stage_start(&p->s);
}

static inline void grant(struct play *p)
{
	p->lease = stage_ask(&p->s, LEASE_PINNED);
	p->w = stage_granted(&p->s, p->lease, &p->granted);
	p->base = p->granted.sequence;
}

static inline void publish(struct play *p, uint64_t n, const struct stage_limits *limits)
{
	stage_publish(&p->s, p->w, p->base + n, limits);
}
static inline void word(struct play *p, uint64_t n, enum slot_page_state state)
{
	stage_word(&p->s, p->w, p->base + n, state);
}

/*
 * The soft step has come; or the worker was killed before it could notice, because its grace is
 * short.
 */
static inline bool soft_or_late(struct play *p, uint64_t n)
{
	return WAIT_UNTIL(stage_soft(p->w) == p->base + n || !proc_alive(p->w->pid), STAGE_MS) &&
		(stage_soft(p->w) == 0 || stage_soft(p->w) <= p->base + n);
}

#endif
