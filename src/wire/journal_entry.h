/* SPDX-License-Identifier: MIT */
/*
 * journal_entry.h - a log line as an entry of systemd's journal: one field a line, FIELD=value. A
 * value that has a newline goes in the form with a length.
 */
#ifndef BROOD_WIRE_JOURNAL_ENTRY_H
#define BROOD_WIRE_JOURNAL_ENTRY_H

#include <brood.h>
#include <stddef.h>
#include <stdint.h>

struct message_log;

/* Room for the longest log line with all its fields, and for a worker's lines on stderr. */
struct journal_entry {
	size_t size;
	char bytes[2048 + BROOD_REPORT_STDERR];
};

/* What the entry says beside the line. */
struct journal_about {
	const char *identifier; /* the program, as the journal shows it */
	const char *event;      /* the event's name */
	const char *pool;       /* NULL: the line is about no pool */
	const char *file, *function;
	unsigned line;           /* the place in the library's code */
	const char *stderr_text; /* the last lines that the worker wrote; NULL, "": none */
};

/* Adds a field; none if value is NULL or "". A field for which there is no room is left out. */
void journal_entry_add(struct journal_entry *e, const char *field, const char *value);
void journal_entry_add_number(struct journal_entry *e, const char *field, uint64_t value);
void journal_entry_of(struct journal_entry *ret, const struct message_log *line,
	const struct journal_about *about);
/* The event's MESSAGE_ID, which never changes: 32 digits. NULL: the event has none. */
const char *journal_entry_message_id(uint32_t event);

#endif
