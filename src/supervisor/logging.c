/* SPDX-License-Identifier: MIT */
/*
 * logging.c - log lines. A line that repeats is folded: a crash loop must not drown the line that
 * matters. Lines go to the engine's callback over a socket of their own, or to stderr. They never
 * block and never hold up a verdict; lines that cannot go are dropped and counted.
 */
#include "logging.h"
#include "../wire/frame.h"

#include <stdarg.h>
#include <stdio.h>

static void to_engine(struct supervisor *s, const struct message_log *line)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LOG)->log = *line;
	if (s->engine.ended || frame_send(s->config.log_fd, &f) < 0)
		count_one(&s->stats_page->logs_dropped);
}

static void to_stderr(struct supervisor *s, const struct message_log *line)
{
	char text[sizeof line->text + 80];
	int n;

	if (line->level > BROOD_NOTICE)
		return;
	n = snprintf(text, sizeof text, "%s: %s\n",
		s->options->title ? s->options->title : program_invocation_short_name, line->text);
	if (n > 0 && stdlog_write(&s->stdlog, text, MIN((size_t)n, sizeof text - 1)) < 0)
		count_one(&s->stats_page->logs_dropped);
}

void logging_relay(struct supervisor *s, const struct message_log *line)
{
	if (s->options->log && !s->engine.ended && !s->engine.channel_ended && !s->engine.exiting)
		to_engine(s, line);
	else
		to_stderr(s, line);
}

void logging_line(struct supervisor *s, const struct logging_about *about, const char *format, ...)
{
	struct message_log line = { .level = about->level,
		.event = about->event,
		.pid = about->pid,
		.slot = about->worker - 1,
		.job = about->job,
		.pool = logging_pool(about->pool) },
			   summary;
	bool has_summary = false;
	uint64_t now = now_ns();
	va_list args;
	int pass, named = 0;

	if (about->pool && about->pool->setup->named)
		named = snprintf(
			line.text, sizeof line.text, "pool %s: ", about->pool->setup->name);
	va_start(args, format);
	vsnprintf(line.text + named, sizeof line.text - (size_t)named, format, args);
	va_end(args);
	pass = fold_line(&s->fold, now, &line, &summary, &has_summary);
	if (has_summary)
		logging_relay(s, &summary);
	if (pass && about->past_engine)
		to_stderr(s, &line);
	else if (pass)
		logging_relay(s, &line);
	timer_set(&s->loop, &s->fold_timer, fold_next(&s->fold));
}

static void say_held(struct supervisor *s, uint64_t now)
{
	struct message_log summary;

	while (fold_due(&s->fold, now, &summary))
		logging_relay(s, &summary);
}

void logging_fold_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, fold_timer);

	say_held(s, now);
	timer_set(&s->loop, timer, fold_next(&s->fold));
}

void logging_flush(struct supervisor *s) { say_held(s, TIME_NEVER); }
