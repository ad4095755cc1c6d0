/* SPDX-License-Identifier: MIT */
/*
 * message.c - texts of messages: the line about jobs that were accepted and not done when the pool
 * or its engine ended (DROPPED), and a job's own log line (JOB_LOG).
 */
#include "message.h"

#include "../base/printable.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int message_dropped_text(const struct message_dropped *m, char *text, size_t size)
{
	char shown[PRINTABLE_JOB_MAX], tag[BROOD_TAG_MAX];

	memcpy(tag, m->tag, sizeof tag);
	tag[sizeof tag - 1] = '\0'; /* frame_decode() has checked for the NUL of `name` alone */
	if (m->first == 0)
		return snprintf(text, size,
			"%" PRIu64 " job%s that the engine had accepted and no worker had been "
			"given %s lost with it",
			m->count, m->count == 1 ? "" : "s", m->count == 1 ? "is" : "are");
	return snprintf(text, size,
		"the stop dropped %" PRIu64 " job%s; the first: job %" PRIu64 " %s", m->count,
		m->count == 1 ? "" : "s", m->first, printable_job(shown, m->name, tag));
}

void message_one_line(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}
