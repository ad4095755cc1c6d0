/* SPDX-License-Identifier: MIT */
#include "start_fails.h"
#include "logging.h"
#include "manager.h"
#include "pool.h"
#include "stop_signal.h"

#include <stdio.h>

static void describe(const struct pool *pool, char *text, size_t size)
{
	bool named = pool->setup->named, births = pool->backoff.degraded;

	snprintf(text, size, "the start failed: %s%s%s%s%s%s", named ? "pool " : "",
		named ? pool->setup->name : "", named ? ": " : "",
		births ? "workers die at birth" : "workers cannot die",
		births && *pool->birth_end ? ", the last one ended " : "",
		births ? pool->birth_end : "");
}

void start_fails_look(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;
	char reason[MANAGER_STATUS_MAX];

	if (!(s->options->flags & BROOD_START_OR_FAIL) || s->start_failed || pool->was_ready ||
		!pool_degraded(pool) || s->engine.ended || s->halt.phase != HALT_NONE)
		return;
	s->start_failed = true;
	describe(pool, reason, sizeof reason);
	stderr_log(s, BROOD_ERR, BROOD_EVENT_DEGRADED, 0, "%s: the service ends", reason);
	manager_tell_failure(s, EHOSTDOWN, reason);
	stop_signal_for_failure(s);
}

int start_fails_code(const struct supervisor *s)
{
	const struct process_exit *e = &s->engine.exit;
	bool by_us = e->code == CLD_KILLED && (e->status == SIGTERM || s->engine.kill_sent);

	if (!s->start_failed || !s->engine.ended)
		return 0;
	return by_us || (e->code == CLD_EXITED && e->status == 0) ? BROOD_EXIT_START : 0;
}
