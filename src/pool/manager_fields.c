/* SPDX-License-Identifier: MIT */
#include "manager_fields.h"

/* Fields that only the supervisor may say, and what a program does instead. */
static const struct {
	const char *key, *instead;
} ours[] = {
	{ "MAINPID", "the supervisor is the main process, and says so" },
	{ "MAINPIDFDID", "the supervisor is the main process, and says so" },
	{ "MAINPIDFD", "the supervisor is the main process, and says so" },
	{ "STOPPING", "the supervisor says so when the stop begins" },
	{ "WATCHDOG_USEC", "set WatchdogSec= in the unit" },
	{ "BARRIER", "call brood_notify_barrier()" },
	{ "FDSTORE", "the message would need an fd" },
	{ "FDSTOREREMOVE", "the supervisor keeps the store" },
	{ "FDNAME", "the supervisor keeps the store" },
	{ "FDPOLL", "the supervisor keeps the store" },
};

static size_t line_size(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? (size_t)(end - line) : strlen(line);
}

static bool is_key(const char *key, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!(key[i] >= 'A' && key[i] <= 'Z') && !(key[i] >= '0' && key[i] <= '9') &&
			key[i] != '_')
			return false;
	return size > 0;
}

static bool is_plain(const char *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return false;
	return true;
}

static const char *said_by_us(const char *key, size_t size, const char *value, size_t value_size)
{
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strlen(ours[i].key) == size && memcmp(ours[i].key, key, size) == 0)
			return ours[i].instead;
	if (size == 8 && memcmp(key, "WATCHDOG", 8) == 0 &&
		!(value_size == 7 && memcmp(value, "trigger", 7) == 0))
		return "the supervisor says so while all is well; WATCHDOG=trigger may be said";
	return NULL;
}

static void show(char *to, size_t room, const char *from, size_t size)
{
	size_t n = MIN(size, room - 1);

	for (size_t i = 0; i < n; i++)
		to[i] = from[i] < ' ' || from[i] == 0x7f ? '?' : from[i];
	to[n] = '\0';
}

static enum manager_fields_fault check_line(
	const char *line, size_t size, struct manager_fields_finding *ret)
{
	const char *equals = memchr(line, '=', size);
	size_t key = equals ? (size_t)(equals - line) : size;

	show(ret->key, sizeof ret->key, line, key);
	if (!equals)
		return MANAGER_FIELDS_LINE;
	if (!is_key(line, key))
		return MANAGER_FIELDS_KEY;
	if (!is_plain(equals + 1, size - key - 1))
		return MANAGER_FIELDS_CONTROL;
	ret->instead = said_by_us(line, key, equals + 1, size - key - 1);
	return ret->instead ? MANAGER_FIELDS_OURS : MANAGER_FIELDS_FINE;
}

struct manager_fields_finding manager_fields_check(const char *fields, size_t max)
{
	struct manager_fields_finding f = { .fault = MANAGER_FIELDS_FINE };

	if (*fields == '\0')
		f.fault = MANAGER_FIELDS_EMPTY;
	else if (strnlen(fields, max) >= max)
		f.fault = MANAGER_FIELDS_LONG;
	for (bool more = f.fault == MANAGER_FIELDS_FINE; more;) {
		size_t size = line_size(fields);

		f.line++;
		f.fault = check_line(fields, size, &f);
		more = f.fault == MANAGER_FIELDS_FINE && fields[size] == '\n';
		fields += size + 1;
	}
	return f;
}

static bool begins(const char *line, size_t size, const char *with)
{
	size_t n = strlen(with);

	return size >= n && memcmp(line, with, n) == 0;
}

static bool is(const char *line, size_t size, const char *what)
{
	return size == strlen(what) && begins(line, size, what);
}

static void read_line(const char *line, size_t size, struct manager_fields *ret)
{
	size_t at = strlen(ret->rest);

	if (is(line, size, "READY=1")) {
		ret->ready = true;
		return;
	}
	if (begins(line, size, "STATUS=")) {
		ret->has_status = true;
		show(ret->status, sizeof ret->status, line + 7, size - 7);
		return;
	}
	ret->reloading |= is(line, size, "RELOADING=1");
	ret->timed |= begins(line, size, "MONOTONIC_USEC=");
	ret->has_errno |= begins(line, size, "ERRNO=");
	if (at + size + 2 > sizeof ret->rest)
		return;
	memcpy(ret->rest + at, line, size);
	memcpy(ret->rest + at + size, "\n", 2);
}

void manager_fields_read(const char *fields, struct manager_fields *ret)
{
	memset(ret, 0, sizeof *ret);
	for (bool more = true; more;) {
		size_t size = line_size(fields);

		more = fields[size] == '\n';
		read_line(fields, size, ret);
		fields += size + 1;
	}
}
