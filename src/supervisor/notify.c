/* SPDX-License-Identifier: MIT */
/*
 * notify.c - what systemd is told, by the supervisor alone (NotifyAccess=main): READY=1 once, when
 * the pool is ready and the engine has said so; STATUS; STOPPING=1 once; WATCHDOG=1 at half its
 * time, while the engine is not stopped. Whatever cannot be sent now is tried again; nothing
 * blocks.
 *
 * STATUS= is composed anew each time: the pool's trouble while it lasts, and the engine's own
 * words. So a trouble that is over is not said any more, and the engine's words come back.
 */
#include "internal.h"

#include <stdio.h>

static bool send_or_keep(struct supervisor *s, const char *text)
{
	int r = notify_send(&s->config.notify, text);

	if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
		note(s, NOTE_RETRY);
		return false;
	}
	return true; /* sent, or never will be: the manager is gone */
}

struct status {
	char text[sizeof((struct supervisor *)0)->notify.status + 64];
};

static struct status status_now(const struct supervisor *s)
{
	const char *own = s->notify.status;
	struct status now;

	if (s->backoff.degraded)
		snprintf(now.text, sizeof now.text, "degraded: workers die at birth%s%s",
			*own ? "; " : "", own);
	else if (supervisor_degraded(s))
		snprintf(now.text, sizeof now.text, "degraded: workers cannot die%s%s",
			*own ? "; " : "", own);
	else if (*own)
		snprintf(now.text, sizeof now.text, "%s", own);
	else
		snprintf(now.text, sizeof now.text, "%u of %u workers ready", supervisor_ready(s),
			s->options->workers);
	return now;
}

static void say_ready(struct supervisor *s)
{
	struct status status = status_now(s);
	char text[sizeof status + 64];

	snprintf(text, sizeof text, "READY=1\nMAINPID=%d\nSTATUS=%s", s->pid, status.text);
	s->notify.ready_pending = !send_or_keep(s, text);
	s->notify.status_pending = s->notify.status_pending && s->notify.ready_pending;
}

static void say_status(struct supervisor *s)
{
	struct status status = status_now(s);
	char text[sizeof status + 16];

	snprintf(text, sizeof text, "STATUS=%s", status.text);
	s->notify.status_pending = !send_or_keep(s, text);
}

void notify_flush(struct supervisor *s)
{
	if (s->notify.ready_pending)
		say_ready(s);
	if (s->notify.status_pending)
		say_status(s);
	if (s->notify.stopping_pending)
		s->notify.stopping_pending = !send_or_keep(s, "STOPPING=1\nSTATUS=stopping");
}

void notify_pool(struct supervisor *s)
{
	bool full = supervisor_ready(s) == s->options->workers, degraded = supervisor_degraded(s);

	/* Degraded and recovered alike. A pool that stops has said so, and that stands. */
	if (degraded != s->degraded_said)
		s->notify.status_pending = !s->notify.stopping_said;
	s->degraded_said = degraded;
	if (!degraded)
		s->degraded_told = false;
	else if (!s->degraded_told)
		s->degraded_told = engine_tell(s, MESSAGE_POOL_DEGRADED) == 0;
	if (full && !s->pool_was_ready && engine_tell(s, MESSAGE_POOL_READY) == 0)
		s->pool_was_ready = true;
	if (s->pool_was_ready && s->notify.engine_ready && !s->notify.ready_said &&
		!s->notify.stopping_said)
		s->notify.ready_said = s->notify.ready_pending = true;
	notify_flush(s);
}

void notify_engine_said(struct supervisor *s, const struct message_notify *message)
{
	if (message->kind == NOTIFY_READY) {
		s->notify.engine_ready = true;
	} else if (message->kind == NOTIFY_STATUS) {
		memcpy(s->notify.status, message->text, sizeof s->notify.status);
		s->notify.status[sizeof s->notify.status - 1] = '\0';
		s->notify.status_pending = true;
	}
	notify_pool(s);
}

void notify_stopping(struct supervisor *s)
{
	if (s->notify.stopping_said)
		return;
	s->notify.stopping_said = s->notify.stopping_pending = true;
	notify_flush(s);
}

/* ---- the watchdog ---- */

/*
 * An engine that stands still serves nobody: the manager shall find out. Not while somebody debugs
 * it who said so.
 */
static bool engine_stands_still(struct supervisor *s)
{
	bool stopped = !s->engine.ended && process_is_stopped(s->engine.pid);
	bool spared = s->options->flags & BROOD_DEBUGGING;

	if (stopped && !spared && !s->notify.still_said)
		log_line(s,
			&(struct log_about){ .level = BROOD_WARNING,
				.event = BROOD_EVENT_ENGINE_STOPPED,
				.pid = s->engine.pid,
				.past_engine = true },
			"the engine (pid %d) is stopped, by a signal or a debugger: the service "
			"manager's watchdog is not fed",
			s->engine.pid);
	s->notify.still_said = stopped;
	return stopped && !spared;
}

void notify_watchdog_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, notify.watchdog);

	if (!engine_stands_still(s))
		notify_send(&s->config.notify, "WATCHDOG=1");
	timer_set(loop, timer, now + s->config.notify.watchdog_us * NS_PER_US / 2);
}

void notify_start(struct supervisor *s)
{
	if (s->config.notify.watchdog_us > 0)
		notify_watchdog_fired(&s->loop, &s->notify.watchdog, now_ns());
}
