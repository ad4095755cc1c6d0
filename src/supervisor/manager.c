/* SPDX-License-Identifier: MIT */
/*
 * manager.c - tells systemd how the brood is; only the supervisor may (NotifyAccess=main). READY=1
 * is sent once, when all pools are ready and the engine has said so; STATUS=; STOPPING=1 once.
 * notifier.c sends. feed.c feeds the watchdog.
 *
 * STATUS= is composed anew each time: the pool's trouble while it lasts, and the engine's own
 * words. So a trouble that is over is not said any more, and the engine's words stand alone again.
 */
#include "manager.h"
#include "feed.h"
#include "logging.h"
#include "notifier.h"
#include "outbox.h"
#include "pool.h"
#include "store.h"

#include <stdio.h>

static const char *trouble_of(const struct pool *pool)
{
	if (pool->backoff.degraded)
		return "workers die at birth";
	return pool_degraded(pool) ? "workers cannot die" : NULL;
}

/*
 * Puts the state for STATUS= into `text`: the engine's trouble; else the first pool that has
 * trouble; else how many workers are ready, if the engine has given no words of its own; else
 * nothing.
 */
static void describe(struct supervisor *s, char *text, size_t size)
{
	const char *engine = feed_trouble(s);
	uint32_t ready = 0, workers = 0;
	bool named;

	if (engine) {
		snprintf(text, size, "%s", engine);
		return;
	}
	for_each_pool(pool, s)
	{
		const char *trouble = trouble_of(pool);

		ready += pool_ready(pool);
		workers += pool->size.target;
		if (!trouble)
			continue;
		named = pool->setup->named;
		snprintf(text, size, "degraded: %s%s%s%s", named ? "pool " : "",
			named ? pool->setup->name : "", named ? ": " : "", trouble);
		return;
	}
	if (!*s->manager.status)
		snprintf(text, size, "%u of %u workers ready", ready, workers);
}

/* Sends STATUS=. before: another message to send in front of it, or "". */
static void say_status(struct supervisor *s, enum notice_kind kind, const char *before)
{
	const char *own = s->manager.status;
	char text[sizeof s->manager.status + 192], state[64 + BROOD_POOL_NAME_MAX] = "";

	describe(s, state, sizeof state);
	snprintf(text, sizeof text, "%sSTATUS=%s%s%s", before, state, *state && *own ? "; " : "",
		own);
	notifier_send(s, kind, text);
}

static void say_ready(struct supervisor *s)
{
	char ready[64];

	s->manager.ready_said = true;
	snprintf(ready, sizeof ready, "READY=1\nMAINPID=%d\n", s->pid);
	say_status(s, NOTICE_PLAIN, ready);
}

static bool all_were_ready(struct supervisor *s)
{
	for_each_pool(pool, s) if (!pool->was_ready) return false;
	return true;
}

void manager_tell(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;
	bool full = pool->ever_ready >= sizing_least(&pool->size), degraded = pool_degraded(pool);
	bool stored = store_flush(s);

	/* A pool that degrades or recovers changes STATUS=, unless it stops: "stopping" stays. */
	if ((degraded != pool->degraded_said || feed_trouble(s) != s->manager.trouble_said) &&
		!s->manager.stopping_said)
		say_status(s, NOTICE_STATUS, "");
	pool->degraded_said = degraded;
	s->manager.trouble_said = feed_trouble(s);
	if (!degraded)
		pool->degraded_told = false;
	else if (!pool->degraded_told)
		pool->degraded_told = outbox_tell(pool, MESSAGE_POOL_DEGRADED) == 0;
	if (full && !pool->was_ready && outbox_tell(pool, MESSAGE_POOL_READY) == 0)
		pool->was_ready = true;
	/* READY=1 promises that the service manager stores what the engine keeps. */
	if (stored && s->manager.engine_ready && !s->manager.ready_said &&
		!s->manager.stopping_said && all_were_ready(s))
		say_ready(s);
}

void manager_hear_engine(struct supervisor *s, const struct message_notify *message)
{
	if (message->kind == NOTIFY_READY) {
		s->manager.engine_ready = true;
	} else if (message->kind == NOTIFY_STATUS) {
		memcpy(s->manager.status, message->text, sizeof s->manager.status);
		s->manager.status[sizeof s->manager.status - 1] = '\0';
		say_status(s, NOTICE_STATUS, "");
	}
	note(s, NOTE_POOL);
}

void manager_tell_stopping(struct supervisor *s)
{
	if (s->manager.stopping_said)
		return;
	s->manager.stopping_said = true;
	notifier_send(s, NOTICE_PLAIN, "STOPPING=1\nSTATUS=stopping");
}
