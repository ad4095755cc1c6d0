/* SPDX-License-Identifier: MIT */
/* journal_entry.c - a log line becomes the bytes that systemd's journal reads, field by field. */
#include "wire/journal_entry.h"
#include "unit.h"
#include "wire/message.h"

#include <brood.h>
#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(unit_journal_entry, .timeout = 60);

static void is_bytes(const struct journal_entry *e, const char *bytes, size_t size)
{
	cr_assert_eq(e->size, size, "%zu bytes: %.*s", e->size, (int)e->size, e->bytes);
	cr_assert_eq(memcmp(e->bytes, bytes, size), 0, "%.*s", (int)e->size, e->bytes);
}

Test(unit_journal_entry, a_line_with_all_its_fields)
{
	const struct message_log line = { .level = BROOD_WARNING,
		.event = BROOD_EVENT_WORKER_DIED,
		.pid = 77,
		.slot = 0,
		.job = 9,
		.pool = 2,
		.error = 12,
		.function = "upper",
		.tag = "GET /a",
		.text = "worker 0 ended" };
	const struct journal_about about = { .identifier = "server",
		.event = "worker-died",
		.pool = "php",
		.file = "/a/build/../src/supervisor/death_log.c",
		.function = "death_log_say",
		.line = 120 };
	static const char bytes[] =
		"MESSAGE=worker 0 ended\nPRIORITY=4\nSYSLOG_IDENTIFIER=server\n"
		"BROOD_EVENT=worker-died\nBROOD_POOL=php\nBROOD_WORKER=0\nBROOD_PID=77\n"
		"BROOD_JOB=9\nBROOD_FUNCTION=upper\nBROOD_TAG=GET /a\nERRNO=12\n"
		"CODE_FILE=src/supervisor/death_log.c\nCODE_LINE=120\nCODE_FUNC=death_log_say\n";
	struct journal_entry e;

	journal_entry_of(&e, &line, &about);
	is_bytes(&e, bytes, sizeof bytes - 1);
}

/* Several lines go in the form with a length, and there is room for the longest. */
Test(unit_journal_entry, lines_of_a_worker)
{
	struct message_log line = { .level = BROOD_WARNING, .slot = UINT32_MAX, .text = "died" };
	static char lines[BROOD_REPORT_STDERR];
	struct journal_about about = {
		.identifier = "server", .event = "report", .stderr_text = "one\ntwo"
	};
	static const char bytes[] = "MESSAGE=died\nPRIORITY=4\nSYSLOG_IDENTIFIER=server\n"
				    "BROOD_EVENT=report\n"
				    "BROOD_STDERR\n\x07\0\0\0\0\0\0\0one\ntwo\n";
	struct journal_entry e;

	journal_entry_of(&e, &line, &about);
	is_bytes(&e, bytes, sizeof bytes - 1);
	memset(lines, '\n', sizeof lines - 1);
	memset(line.text, 'x', sizeof line.text - 1);
	memset(line.function, 'f', sizeof line.function - 1);
	memset(line.tag, 't', sizeof line.tag - 1);
	about.stderr_text = lines;
	journal_entry_of(&e, &line, &about);
	cr_assert_gt(e.size, sizeof lines + sizeof line.text);
	cr_assert_eq(e.bytes[e.size - 2], '\n');
}

Test(unit_journal_entry, what_is_not_known_is_left_out)
{
	const struct message_log line = { .level = BROOD_ERR,
		.event = BROOD_EVENT_DEGRADED,
		.slot = UINT32_MAX,
		.text = "degraded" };
	const struct journal_about about = { .identifier = "server", .event = "degraded" };
	static const char bytes[] =
		"MESSAGE=degraded\nPRIORITY=3\nSYSLOG_IDENTIFIER=server\n"
		"MESSAGE_ID=099e62c3cda7494baa4f03dd20565988\nBROOD_EVENT=degraded\n";
	struct journal_entry e;

	journal_entry_of(&e, &line, &about);
	is_bytes(&e, bytes, sizeof bytes - 1);
}

/* A newline in a value would begin a field of the job's choice, such as PRIORITY. */
Test(unit_journal_entry, a_value_cannot_forge_a_field)
{
	static const char bytes[] = "BROOD_TAG\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
	struct journal_entry e = { 0 };

	journal_entry_add(&e, "BROOD_TAG", "a\nPRIORITY=0");
	is_bytes(&e, bytes, sizeof bytes - 1);
}

Test(unit_journal_entry, a_field_without_room_is_left_out_whole)
{
	struct journal_entry e = { 0 };
	char value[400];
	size_t before;

	memset(value, 'x', sizeof value);
	value[sizeof value - 1] = '\0';
	for (size_t i = 0; i <= sizeof e.bytes / sizeof value; i++)
		journal_entry_add(&e, "LONG", value);
	cr_assert_leq(e.size, sizeof e.bytes);
	before = e.size;
	journal_entry_add(&e, "LONG", value);
	cr_assert_eq(e.size, before);
	cr_assert_eq(e.bytes[e.size - 1], '\n');
	journal_entry_add_number(&e, "SHORT", 5);
	cr_assert_eq(e.size, before + strlen("SHORT=5\n"));
}

/* Programs search the journal for these numbers, so no two events have one. */
Test(unit_journal_entry, message_ids_differ)
{
	const char *ids[64];
	size_t count = 0;

	for (uint32_t event = 0; event < 64; event++) {
		const char *id = journal_entry_message_id(event);

		if (!id)
			continue;
		cr_assert_eq(strlen(id), 32);
		cr_assert_eq(strspn(id, "0123456789abcdef"), 32);
		for (size_t i = 0; i < count; i++)
			cr_assert_str_neq(ids[i], id);
		ids[count++] = id;
	}
	cr_assert_geq(count, 4);
}
