/* SPDX-License-Identifier: MIT */
/*
 * flags.c - the flags of stdout and stderr, as a job found them (os/standard.h).
 *
 * Where they are shared with the engine, the note also stands in the slot's page: when the worker
 * dies, the supervisor puts them back.
 */
#include "flags.h"

#include "../base/base.h"
#include "../os/standard.h"
#include "worker.h"

static struct standard standard;
bool flags_shared;

static _Atomic uint32_t *note_of(int file) { return &the_worker.page->standard[file]; }

void flags_open_own(void)
{
	struct standard *s = &standard;

	*s = the_worker.config->standard;
	standard_open_own(s);
	flags_shared = standard_is_shared(s);
}

void flags_note_own(void) { standard_note_own(&standard); }

/* Async-signal-safe: before a job's first system call. */
void flags_note(void)
{
	struct standard *s = &standard;

	if (!flags_shared || s->is_noted)
		return;
	standard_note(s);
	for (int i = 0; i < STANDARD_FILES; i++)
		if (!s->own[i] && s->start[i] >= 0 && s->noted[i] >= 0)
			atomic_store_explicit(note_of(i),
				SLOT_PAGE_STANDARD | (uint32_t)s->noted[i], memory_order_relaxed);
}

/* A job may have put another file there: then only the supervisor can reach the one that was. */
void flags_put_back(const struct identity *files)
{
	struct standard *s = &standard;

	for (int i = 0; i < STANDARD_FILES; i++) {
		int fd = STDOUT_FILENO + i;

		if (files && !identity_is(fd, &files[fd]))
			continue;
		standard_put_back(s, i);
		if (s->is_noted)
			atomic_store_explicit(note_of(i), 0, memory_order_relaxed);
	}
	s->is_noted = false;
}
