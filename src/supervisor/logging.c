/* SPDX-License-Identifier: MIT */
/*
 * logging.c - log lines. A line that repeats is folded: a crash loop must not drown the line that
 * matters. Lines go to the engine's callback over a socket of their own, or to stderr. They never
 * block and never hold up a verdict; lines that cannot go are dropped and counted.
 */
#include "logging.h"
#include "../base/printable.h"
#include "../wire/frame.h"
#include "../wire/journal_entry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static int to_engine(struct supervisor *s, const struct message_log *line)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LOG)->log = *line;
	return s->engine.ended ? -EPIPE : frame_send(s->config.log_fd, &f);
}

/* ---- stderr ---- */

static const char *title(const struct supervisor *s)
{
	return s->options->title ? s->options->title : program_invocation_short_name;
}

static int to_journal(
	struct supervisor *s, const struct message_log *line, const struct logging_place *place)
{
	struct journal_entry entry;
	const struct journal_about about = {
		.identifier = title(s),
		.event = brood_event_name((enum brood_event)line->event),
		.pool = line->pool ? s->pools[line->pool - 1].setup->name : NULL,
		.file = place ? place->file : NULL,
		.function = place ? place->function : NULL,
		.line = place ? place->line : 0,
		.stderr_text = place ? place->stderr_text : NULL,
	};

	journal_entry_of(&entry, line, &about);
	return journal_send(&s->stdlog.journal, entry.bytes, entry.size);
}

/* The journal shows the program's name beside each line: the line itself does not begin with it. */
static int to_file(struct supervisor *s, const struct message_log *line)
{
	char text[sizeof line->text + 80];
	int n = s->stdlog.levels ? snprintf(text, sizeof text, "<%u>%s\n", line->level, line->text)
				 : snprintf(text, sizeof text, "%s: %s\n", title(s), line->text);

	return n > 0 ? stdlog_write(&s->stdlog, text, MIN((size_t)n, sizeof text - 1)) : 0;
}

static int to_stderr(
	struct supervisor *s, const struct message_log *line, const struct logging_place *place)
{
	int r;

	if (line->level > BROOD_NOTICE)
		return 0;
	r = to_journal(s, line, place);
	/* a sandbox may hide the journal's socket: stderr leads there, too */
	return r == 0 || r == -EAGAIN ? r : to_file(s, line);
}

/* A job's own line says on stderr whose it is. The program's callback gets that in fields. */
static int jobs_line(struct supervisor *s, const struct message_log *line)
{
	struct message_log whole = *line;
	int n = snprintf(whole.text, sizeof whole.text,
		"worker %u, job %" PRIu64 " %s: ", line->slot, line->job, line->function);

	snprintf(whole.text + n, sizeof whole.text - (size_t)n, "%s", line->text);
	return to_stderr(s, &whole, NULL);
}

/* ---- both ---- */

static bool engine_hears(const struct supervisor *s)
{
	return s->options->log && !s->engine.ended && !s->engine.channel_ended &&
		!s->engine.exiting;
}

static int deliver(struct supervisor *s, const struct message_log *line,
	const struct logging_place *place, bool past_engine)
{
	if (!past_engine && engine_hears(s))
		return to_engine(s, line);
	if (line->event == BROOD_EVENT_JOB_LOG && line->job)
		return jobs_line(s, line);
	return to_stderr(s, line, place);
}

/* The first line for which there is room again comes after the number of those that were lost. */
static bool say_dropped(struct supervisor *s)
{
	struct message_log line = {
		.level = BROOD_WARNING, .event = BROOD_EVENT_LOGS_DROPPED, .slot = UINT32_MAX
	};

	snprintf(line.text, sizeof line.text,
		"%" PRIu64 " log line%s had no room and %s lost: the log's reader was too slow",
		s->logs_lost, s->logs_lost == 1 ? "" : "s", s->logs_lost == 1 ? "is" : "are");
	if (deliver(s, &line, NULL, false) < 0)
		return false;
	s->logs_lost = 0;
	return true;
}

static void send(struct supervisor *s, const struct message_log *line,
	const struct logging_place *place, bool past_engine)
{
	if ((s->logs_lost == 0 || say_dropped(s)) && deliver(s, line, place, past_engine) == 0)
		return;
	s->logs_lost++;
	count_one(&s->stats_page->logs_dropped);
}

void logging_relay(struct supervisor *s, const struct message_log *line)
{
	send(s, line, NULL, false);
}

void logging_say(const struct logging_place *place, struct supervisor *s,
	const struct logging_about *about, const char *format, ...)
{
	struct message_log line = { .level = about->level,
		.event = about->event,
		.pid = about->pid,
		.slot = about->worker - 1,
		.job = about->job,
		.error = (uint32_t)about->error,
		.pool = logging_pool(about->pool) },
			   summary;
	struct logging_place more = *place;
	bool has_summary = false;
	uint64_t now = now_ns();
	va_list args;
	int pass, named = 0;

	if (about->function)
		printable_copy(line.function, sizeof line.function, about->function);
	if (about->tag)
		printable_copy(line.tag, sizeof line.tag, about->tag);
	if (about->pool && about->pool->setup->named)
		named = snprintf(
			line.text, sizeof line.text, "pool %s: ", about->pool->setup->name);
	va_start(args, format);
	vsnprintf(line.text + named, sizeof line.text - (size_t)named, format, args);
	va_end(args);
	pass = fold_line(&s->fold, now, &line, &summary, &has_summary);
	if (has_summary)
		logging_relay(s, &summary);
	more.stderr_text = about->stderr_text;
	if (pass)
		send(s, &line, &more, about->past_engine);
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
