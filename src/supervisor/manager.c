/* SPDX-License-Identifier: MIT */
/*
 * manager.c - tells the service manager how the brood is; only the supervisor may
 * (NotifyAccess=main). READY=1 is sent once, when all pools are ready and the engine has said so,
 * and again after a reload; STOPPING=1 once. What the program says (brood_notify()) is passed on.
 * manager_text.c has the texts of STATUS=, notifier.c sends. feed.c feeds the watchdog.
 */
#include "manager.h"
#include "feed.h"
#include "logging.h"
#include "manager_text.h"
#include "outbox.h"
#include "pool.h"
#include "store.h"

#include "../pool/manager_fields.h"

#include <inttypes.h>
#include <stdio.h>

/* with_status: STATUS= is not about a start any more if the pool ends before it was ready. */
static void say_ready(struct supervisor *s, bool with_status)
{
	char ready[64];
	int size = snprintf(ready, sizeof ready, "READY=1\nMAINPID=%d\n%s", s->pid,
		s->config.failure_told ? "ERRNO=0\n" : "");

	s->manager.ready_said = true;
	if (with_status) {
		manager_text_tell(s, NOTICE_PLAIN, ready);
	} else {
		ready[size - 1] = '\0';
		notifier_send(s, NOTICE_PLAIN, ready);
	}
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
		manager_text_tell(s, NOTICE_STATUS, "");
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
		say_ready(s, true);
}

void manager_pool_ends(struct supervisor *s)
{
	if (s->manager.engine_ready && !s->manager.ready_said && !s->manager.stopping_said)
		say_ready(s, false);
}

void manager_tell_stopping(struct supervisor *s)
{
	if (s->manager.stopping_said)
		return;
	s->manager.stopping_said = true;
	if (!s->manager.errno_given)
		s->manager.status[0] = '\0'; /* it was about the service that ends now */
	if (!s->manager.failed)
		notifier_send(s, NOTICE_PLAIN,
			s->manager.leaving ? "STATUS=stopping" : "STOPPING=1\nSTATUS=stopping");
	manager_text_touch(s);
}

void manager_tell_failure(struct supervisor *s, int error, const char *reason)
{
	bool first = !s->manager.stopping_said && !s->manager.leaving;

	s->manager.stopping_said = true;
	manager_text_tell_failure(s, first ? "STOPPING=1\n" : "", error, reason);
}

void manager_tell_leaving(struct supervisor *s)
{
	char stopping[96];

	s->manager.leaving = true;
	snprintf(stopping, sizeof stopping, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
		(uint64_t)s->options->stop_delay_ms * 1000 + MANAGER_EXTEND_MS * 1000);
	manager_text_tell(s, NOTICE_PLAIN, stopping);
}

/* ---- what the program says ---- */

/* The engine is ready; or it is again, after it has said that it reloads. */
static void hear_ready(struct supervisor *s)
{
	if (s->manager.ready_said && s->manager.reloading)
		notifier_send(s, NOTICE_OTHERS, "READY=1");
	s->manager.reloading = false;
	s->manager.engine_ready = true;
	note(s, NOTE_POOL);
}

/* The engine's memory may be damaged: no newline gets in, which would begin another field. */
static void take_words(struct supervisor *s, const char *text)
{
	size_t size = strnlen(text, sizeof s->manager.status - 1);

	for (size_t i = 0; i < size; i++)
		s->manager.status[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
	s->manager.status[size] = '\0';
}

static void hear_status(struct supervisor *s, const char *text)
{
	take_words(s, text);
	manager_text_tell(s, NOTICE_STATUS, "");
}

/*
 * READY=1 before the service is ready waits until the pools are ready, too; later it ends a reload,
 * also one that has failed.
 */
static void pass_on(struct supervisor *s, struct manager_fields *f)
{
	bool again = f->ready && s->manager.ready_said;
	char text[NOTICE_TEXT_MAX - MANAGER_STATUS_MAX - 64];

	s->manager.errno_given |= f->has_errno;
	s->manager.reloading = (s->manager.reloading || f->reloading) && !f->ready;
	if (f->ready && !again)
		hear_ready(s);
	snprintf(text, sizeof text, "%s%s", again ? "READY=1\n" : "", f->rest);
	if (f->has_status) {
		take_words(s, f->status);
		manager_text_tell(s, *text ? NOTICE_OTHERS : NOTICE_STATUS, text);
	} else if (*text) {
		text[strlen(text) - 1] = '\0';
		notifier_send(s, NOTICE_OTHERS, text);
	}
}

static void hear_fields(struct supervisor *s, const char *text)
{
	struct manager_fields fields;

	if (manager_fields_check(text, BROOD_NOTIFY_MAX + 64).fault != MANAGER_FIELDS_FINE) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine sent fields for the service manager that make no sense; its "
			"library's memory is damaged");
		return;
	}
	manager_fields_read(text, &fields);
	pass_on(s, &fields);
}

void manager_hear_engine(struct supervisor *s, struct frame *f)
{
	char text[MESSAGE_ARG_MAX + 1];
	uint32_t size = f->notify.arg_size;

	memcpy(text, frame_rest(f), size);
	text[size] = '\0';
	switch (f->notify.kind) {
	case NOTIFY_READY: hear_ready(s); break;
	case NOTIFY_STATUS: hear_status(s, text); break;
	case NOTIFY_FIELDS: hear_fields(s, text); break;
	case NOTIFY_BARRIER:
		notifier_send_fd(s, NOTICE_OTHERS, "BARRIER=1", frame_take_fd(f, 0));
		break;
	}
}

void manager_start(struct supervisor *s) { manager_text_tell(s, NOTICE_STATUS, ""); }
