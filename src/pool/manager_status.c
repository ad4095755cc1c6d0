/* SPDX-License-Identifier: MIT */
#include "manager_status.h"

#include <inttypes.h>
#include <stdio.h>

static void serving(const struct manager_state *s, char *text, size_t size)
{
	char leased[32] = "";

	if (s->leased > 0)
		snprintf(leased, sizeof leased, "%u on lease, ", s->leased);
	snprintf(text, size,
		"%u of %u workers ready: %u busy, %s%u idle, %" PRIu64 " queued; %" PRIu64
		" jobs, %" PRIu64 " deaths",
		s->ready, s->workers, s->busy, leased, s->idle, s->queued, s->jobs, s->deaths);
}

static void stopping(const struct manager_state *s, char *text, size_t size)
{
	snprintf(text, size, "stopping: %u busy, %" PRIu64 " queued, %u workers left",
		s->busy + s->leased, s->queued, s->alive);
}

static void describe(const struct manager_state *s, char *text, size_t size)
{
	if (s->phase == MANAGER_STOPPING)
		stopping(s, text, size);
	else if (*s->trouble)
		snprintf(text, size, "%s", s->trouble);
	else if (s->phase == MANAGER_STARTING)
		snprintf(text, size, "%u of %u workers ready", s->ready, s->workers);
	else
		serving(s, text, size);
}

void manager_status_text(
	const struct manager_state *state, const char *own, char *text, size_t size)
{
	char what[MANAGER_STATUS_MAX - MANAGER_OWN_MAX - 64], leaving[64] = "";

	describe(state, what, sizeof what);
	if (state->phase == MANAGER_LEAVING)
		snprintf(leaving, sizeof leaving, "stops %u ms after the stop signal; ",
			state->delay_ms);
	snprintf(text, size, "%s%s%s%s", own, *own ? "; " : "", leaving, what);
}
