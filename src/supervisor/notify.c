/*
 * notify.c - what systemd is told, by the supervisor alone (NotifyAccess=main): READY=1 once, when the pool is ready and the engine has said so; STATUS; STOPPING=1 once; WATCHDOG=1 at half its time.
 * Whatever cannot be sent now is tried again; nothing blocks.
 */
#include "internal.h"

#include <stdio.h>

static bool send_or_keep(struct supervisor *s, const char *text)
{
	int r = notify_send(&s->config.notify, text);

	if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
		supervisor_retry_later(s);
		return false;
	}
	return true;           /* sent, or never will be: the manager is gone */
}

static void say_ready(struct supervisor *s)
{
	char text[sizeof s->notify.status + 64];

	if (s->notify.status[0])
		snprintf(text, sizeof text, "READY=1\nMAINPID=%d\nSTATUS=%s", s->pid, s->notify.status);
	else
		snprintf(text, sizeof text, "READY=1\nMAINPID=%d\nSTATUS=%u workers ready", s->pid, s->options->workers);
	s->notify.ready_pending = !send_or_keep(s, text);
	s->notify.status_pending = s->notify.status_pending && s->notify.ready_pending;
}

static void say_status(struct supervisor *s)
{
	char text[sizeof s->notify.status + 16];

	snprintf(text, sizeof text, "STATUS=%s", s->notify.status);
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
	bool full = supervisor_ready(s) == s->options->workers;

	if (s->backoff.degraded && !s->degraded_said) {
		snprintf(s->notify.status, sizeof s->notify.status, "degraded: workers die at birth");
		s->notify.status_pending = true;
	} else if (!s->backoff.degraded && s->degraded_said) {
		snprintf(s->notify.status, sizeof s->notify.status, "recovered");
		s->notify.status_pending = true;
	}
	s->degraded_said = s->backoff.degraded;
	if (!s->backoff.degraded)
		s->degraded_told = false;
	else if (!s->degraded_told)
		s->degraded_told = engine_tell(s, MESSAGE_POOL_DEGRADED) == 0;
	if (full && !s->pool_was_ready && engine_tell(s, MESSAGE_POOL_READY) == 0)
		s->pool_was_ready = true;
	if (s->pool_was_ready && s->notify.engine_ready && !s->notify.ready_said && !s->notify.stopping_said)
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

void notify_watchdog_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, notify.watchdog);

	notify_send(&s->config.notify, "WATCHDOG=1");
	timer_set(loop, timer, now + s->config.notify.watchdog_us * NS_PER_US / 2);
}

void notify_start(struct supervisor *s)
{
	if (s->config.notify.watchdog_us > 0)
		notify_watchdog_fired(&s->loop, &s->notify.watchdog, now_ns());
}
