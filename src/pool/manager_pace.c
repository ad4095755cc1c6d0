/* SPDX-License-Identifier: MIT */
#include "manager_pace.h"

uint64_t manager_pace_next(const struct manager_pace *p, enum manager_phase phase, uint64_t now)
{
	bool quick = phase == MANAGER_STARTING || phase == MANAGER_STOPPING;
	uint64_t pace = quick ? MANAGER_QUICK_NS : MANAGER_PACE_NS;
	uint64_t earliest = p->said_ns > 0 ? p->said_ns + pace : 0;

	return MAX(now + MANAGER_SETTLE_NS, earliest);
}

bool manager_pace_take(struct manager_pace *p, const char *text, uint64_t now)
{
	size_t size = strnlen(text, sizeof p->said - 1);

	if (p->said_ns > 0 && strncmp(p->said, text, size) == 0 && p->said[size] == '\0')
		return false;
	memcpy(p->said, text, size);
	p->said[size] = '\0';
	p->said_ns = MAX(now, 1);
	return true;
}

/* A number that grows with each step forward. */
static uint64_t progress(const struct manager_state *s)
{
	if (s->phase == MANAGER_STARTING)
		return s->ready;
	/* each job that ends, and each worker that does */
	return s->jobs + s->deaths + (UINT32_MAX - s->alive);
}

bool manager_pace_steps(struct manager_pace *p, const struct manager_state *state)
{
	bool counts = state->phase == MANAGER_STARTING || state->phase == MANAGER_STOPPING;
	uint64_t now = progress(state);
	bool forward = counts && p->phase == state->phase && now > p->progress;

	/* a worker that dies and gets ready again is no step forward */
	p->progress = p->phase == state->phase ? MAX(p->progress, now) : now;
	p->phase = state->phase;
	return forward;
}

uint64_t manager_pace_extend_us(enum manager_phase phase, uint32_t init_ms)
{
	uint64_t ms = MANAGER_EXTEND_MS;

	if (phase == MANAGER_STARTING && init_ms != UINT32_MAX)
		ms = MAX(ms, (uint64_t)init_ms + 5000);
	return ms * 1000;
}
