/* SPDX-License-Identifier: MIT */
/*
 * last_words.c - see last_words.h. All that the handler does may be done in a signal handler: it
 * reads the status page, formats by hand, and writes without ever blocking. The process may be
 * anywhere, in malloc() or printf(), and its heap may be damaged.
 *
 * A service manager may signal all processes of the service. Then supervisor and engine get here at
 * the same time: the first one writes the slots' lines, and the other one a single line.
 */
#include "last_words.h"
#include "journal_entry.h"
#include "slot_words.h"
#include "../base/base.h"
#include "../os/signals.h"
#include "../os/stdlog.h"

#include <stdlib.h>

static struct {
	struct status_view view;
	struct tally *tally;
	const char *who, *title;
	pid_t pid;
	struct journal_stream stream;
	struct stdlog log;
	struct journal_entry entry; /* not on the handler's stack, which may be small */
} last;

/* The journal shows the program's name beside each line, and takes the level from "<3>". */
#define LEVEL "<3>"

static void begin_line(struct slot_words *w)
{
	if (last.log.levels) {
		slot_words_text(w, LEVEL);
		return;
	}
	slot_words_text(w, last.title);
	slot_words_text(w, ": ");
}

/* True: the journal has the line. If the journal has no room, stderr may have some. */
static bool to_journal(const char *line)
{
	int r;

	last.entry.size = 0;
	journal_entry_add(&last.entry, "MESSAGE", line + strlen(LEVEL));
	journal_entry_add(&last.entry, "PRIORITY", "3");
	journal_entry_add(&last.entry, "SYSLOG_IDENTIFIER", last.title);
	r = journal_send(&last.log.journal, last.entry.bytes, last.entry.size);
	return r == 0;
}

static void write_line(struct slot_words *w)
{
	if (w->used == w->size)
		w->used--;
	w->text[w->used] = '\0';
	if (!last.log.levels || !to_journal(w->text)) {
		w->text[w->used++] = '\n';
		stdlog_write(&last.log, w->text, w->used);
	}
	w->used = 0;
}

static void say_who(struct slot_words *w, const siginfo_t *info)
{
	begin_line(w);
	slot_words_text(w, "SIGABRT in the ");
	slot_words_text(w, last.who);
	slot_words_text(w, " (pid ");
	slot_words_number(w, (uint64_t)last.pid);
	slot_words_text(w, ")");
	if (info->si_code == SI_USER && info->si_pid != last.pid) {
		slot_words_text(w, " from process ");
		slot_words_number(w, (uint64_t)info->si_pid);
	}
	slot_words_text(w, "; jobs that wait in the engine for a worker: ");
	slot_words_number(w, atomic_load(&last.tally->waiting));
	write_line(w);
}

static void end_row(struct slot_words *w, uint32_t first, uint32_t end, uint32_t state)
{
	if (first == end)
		return;
	begin_line(w);
	slot_words_row(w, first, end - 1, state);
	write_line(w);
}

/* Slots in a row that do the same, and nothing of note, share a line. */
static void say_slots(struct slot_words *w)
{
	uint32_t slots = status_view_slots(&last.view), first = 0, state = 0, slot;
	uint64_t now = now_ns();

	for (slot = 0; slot < slots; slot++) {
		struct status_worker worker;
		bool wanted;

		status_view_worker(&last.view, slot, &worker);
		wanted = slot_words_wanted(&worker);
		if (wanted || worker.state != state) {
			end_row(w, first, slot, state);
			first = slot + wanted;
			state = worker.state;
		}
		if (!wanted)
			continue;
		begin_line(w);
		slot_words(w, &worker, now);
		write_line(w);
	}
	end_row(w, first, slots, state);
}

static void speak(const siginfo_t *info)
{
	char line[SLOT_WORDS_MAX];
	struct slot_words w = { .text = line, .size = sizeof line };

	stdlog_open(&last.log, &last.stream);
	say_who(&w, info);
	if (atomic_exchange(&last.tally->last_words, 1) == 0)
		say_slots(&w);
	stdlog_close(&last.log);
}

static void on_abort(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (getpid() == last.pid)
		speak(info);
	signals_pass_on(sig, info);
}

void last_words_prepare(const struct shared *shared, const char *who, const char *title)
{
	struct sigaction action = { .sa_sigaction = on_abort, .sa_flags = SA_SIGINFO | SA_ONSTACK },
			 now;

	if (sigaction(SIGABRT, NULL, &now) < 0 || now.sa_flags & SA_SIGINFO ||
		now.sa_handler != SIG_DFL ||
		status_view_open(&last.view, shared->status, shared->status_size) < 0)
		return;
	last.tally = shared->tally;
	last.who = who;
	last.title = title;
	last.stream = journal_stream(getenv("JOURNAL_STREAM"));
	last.pid = getpid();
	sigemptyset(&action.sa_mask);
	sigaction(SIGABRT, &action, NULL);
}
