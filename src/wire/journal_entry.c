/* SPDX-License-Identifier: MIT */
/*
 * journal_entry.c - see journal_entry.h. brood-systemd(7) lists the fields and the MESSAGE_IDs for
 * programs that search the journal, so neither ever changes.
 */
#include "journal_entry.h"
#include "message.h"

#include "../base/base.h"

#include <stdio.h>

static const struct {
	uint32_t event;
	const char *id;
} message_ids[] = {
	{ BROOD_EVENT_ENGINE_DIED, "37535a00c26d4e3baa5eb67b13d72fde" },
	{ BROOD_EVENT_DEGRADED, "099e62c3cda7494baa4f03dd20565988" },
	{ BROOD_EVENT_RECOVERED, "bb37e12c86524033b78cd9061a7e1f84" },
	{ BROOD_EVENT_STOP_FORCED, "35cece62faec479ea4c114706b6b3752" },
	{ BROOD_EVENT_WORKER_OOM, "f17dfd81a99f44d4bb35ecf6a2ca8592" },
};

const char *journal_entry_message_id(uint32_t event)
{
	for (size_t i = 0; i < ARRAY_SIZE(message_ids); i++)
		if (message_ids[i].event == event)
			return message_ids[i].id;
	return NULL;
}

static void append(struct journal_entry *e, const void *bytes, size_t size)
{
	memcpy(e->bytes + e->size, bytes, size);
	e->size += size;
}

void journal_entry_add(struct journal_entry *e, const char *field, const char *value)
{
	const size_t length = value ? strlen(value) : 0, name = strlen(field);
	const uint64_t in_file = htole64(length);

	/* the longer of the two forms: FIELD \n LENGTH value \n */
	if (length == 0 || name + length + sizeof in_file + 2 > sizeof e->bytes - e->size)
		return;
	append(e, field, name);
	if (memchr(value, '\n', length)) {
		append(e, "\n", 1);
		append(e, &in_file, sizeof in_file);
	} else {
		append(e, "=", 1);
	}
	append(e, value, length);
	append(e, "\n", 1);
}

void journal_entry_add_number(struct journal_entry *e, const char *field, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	journal_entry_add(e, field, text);
}

/* A path of the build is nothing to show: the file's name begins in the library's own folder. */
static const char *in_library(const char *file)
{
	const char *found = file ? strstr(file, "src/") : NULL;

	return found ? found : file;
}

static void add_place(struct journal_entry *e, const struct journal_about *about)
{
	if (!about->file)
		return;
	journal_entry_add(e, "CODE_FILE", in_library(about->file));
	journal_entry_add_number(e, "CODE_LINE", about->line);
	journal_entry_add(e, "CODE_FUNC", about->function);
}

void journal_entry_of(struct journal_entry *ret, const struct message_log *line,
	const struct journal_about *about)
{
	ret->size = 0;
	journal_entry_add(ret, "MESSAGE", line->text);
	journal_entry_add_number(ret, "PRIORITY", line->level);
	journal_entry_add(ret, "SYSLOG_IDENTIFIER", about->identifier);
	journal_entry_add(ret, "MESSAGE_ID", journal_entry_message_id(line->event));
	journal_entry_add(ret, "BROOD_EVENT", about->event);
	journal_entry_add(ret, "BROOD_POOL", about->pool);
	if (line->slot != UINT32_MAX)
		journal_entry_add_number(ret, "BROOD_WORKER", line->slot);
	if (line->pid > 0)
		journal_entry_add_number(ret, "BROOD_PID", (uint64_t)line->pid);
	if (line->job != 0)
		journal_entry_add_number(ret, "BROOD_JOB", line->job);
	journal_entry_add(ret, "BROOD_FUNCTION", line->function);
	journal_entry_add(ret, "BROOD_TAG", line->tag);
	if (line->error != 0)
		journal_entry_add_number(ret, "ERRNO", line->error);
	add_place(ret, about);
	journal_entry_add(ret, "BROOD_STDERR", about->stderr_text);
}
