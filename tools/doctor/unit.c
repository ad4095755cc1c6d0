/* SPDX-License-Identifier: MIT */
/*
 * unit.c - see unit.h. As in systemd, a later line of a key replaces the earlier ones, and drop-ins
 * come after the file, by name. A line that ends with a backslash goes on in the next one.
 */
#include "unit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 512

struct unit {
	char path[PATH_MAX];
	struct {
		char *key, *value;
	} lines[LINES_MAX];
	size_t count;
};

/* Below the root; in the order in which systemd looks. */
static const char *const folders[] = { "/etc/systemd/system", "/run/systemd/system",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system" };

/* ---- lines ---- */

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int add(struct unit *unit, char *line)
{
	char *sign = strchr(line, '=');

	if (!sign || unit->count == LINES_MAX)
		return 0;
	*sign = '\0';
	unit->lines[unit->count].key = strdup(trim(line));
	unit->lines[unit->count].value = strdup(trim(sign + 1));
	unit->count++;
	return unit->lines[unit->count - 1].key && unit->lines[unit->count - 1].value ? 0 : -ENOMEM;
}

/* Joins lines that end with a backslash. A comment between them is left out. */
static bool next_line(FILE *file, char *ret, size_t size)
{
	size_t length = 0;
	char *line;

	while (length + 2 < size && fgets(ret + length, (int)(size - length), file)) {
		line = trim(ret + length);
		if (length > 0 && (*line == '#' || *line == ';')) {
			ret[length] = '\0';
			continue;
		}
		memmove(ret + length, line, strlen(line) + 1);
		length = strlen(ret);
		if (length == 0 || ret[length - 1] != '\\' || *ret == '#' || *ret == ';')
			return true;
		ret[length - 1] = ' ';
	}
	return length > 0;
}

static int read_file(struct unit *unit, const char *path)
{
	FILE *file = fopen(path, "re");
	bool service = false;
	char line[4096];
	int r = 0;

	if (!file)
		return -errno;
	while (r == 0 && next_line(file, line, sizeof line)) {
		if (*line == '[')
			service = strcmp(line, "[Service]") == 0;
		else if (service && *line != '#' && *line != ';')
			r = add(unit, line);
	}
	if (r == 0 && ferror(file))
		r = -EIO;
	fclose(file);
	return r;
}

/* ---- files ---- */

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int read_drop_ins(struct unit *unit, const char *folder)
{
	struct dirent **names = NULL;
	int count = scandir(folder, &names, is_drop_in, alphasort), r = 0;

	for (int i = 0; i < count; i++) {
		char path[PATH_MAX + 300];

		snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
		if (r == 0)
			r = read_file(unit, path);
		free(names[i]);
	}
	free(names);
	return r;
}

/* Of a path. */
static int read_path(const struct where *w, const char *name, struct unit *unit)
{
	char drop_ins[PATH_MAX + 4];
	int r;

	where_path(w, unit->path, "%s%s", w->root[0] && *name != '/' ? "/" : "", name);
	snprintf(drop_ins, sizeof drop_ins, "%s.d", unit->path);
	r = read_file(unit, unit->path);
	return r < 0 ? r : read_drop_ins(unit, drop_ins);
}

/* Of a name. Drop-ins of all folders count, those of /etc last. */
static int read_name(const struct where *w, const char *name, struct unit *unit)
{
	const size_t count = sizeof folders / sizeof folders[0];
	char drop_ins[PATH_MAX];
	int r = -ENOENT;

	for (size_t i = 0; i < count && r == -ENOENT; i++) {
		where_path(w, unit->path, "%s/%s", folders[i], name);
		r = read_file(unit, unit->path);
	}
	for (size_t i = count; i-- > 0 && r == 0;) {
		where_path(w, drop_ins, "%s/%s.d", folders[i], name);
		r = read_drop_ins(unit, drop_ins);
	}
	return r;
}

int unit_read(const struct where *w, const char *name, struct unit **ret)
{
	struct unit *unit = calloc(1, sizeof *unit);
	int r;

	if (!unit)
		return -ENOMEM;
	r = strchr(name, '/') ? read_path(w, name, unit) : read_name(w, name, unit);
	if (r < 0) {
		unit_free(unit);
		return r;
	}
	*ret = unit;
	return 0;
}

struct unit *unit_free(struct unit *unit)
{
	for (size_t i = 0; unit && i < unit->count; i++) {
		free(unit->lines[i].key);
		free(unit->lines[i].value);
	}
	free(unit);
	return NULL;
}

const char *unit_path(const struct unit *unit) { return unit->path; }

/* ---- values ---- */

const char *unit_value(const struct unit *unit, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < unit->count; i++)
		if (strcmp(unit->lines[i].key, key) == 0)
			value = *unit->lines[i].value ? unit->lines[i].value : NULL;
	return value;
}

bool unit_says_yes(const struct unit *unit, const char *key)
{
	const char *value = unit_value(unit, key);

	return value &&
		(strcmp(value, "1") == 0 || strcasecmp(value, "yes") == 0 ||
			strcasecmp(value, "true") == 0 || strcasecmp(value, "on") == 0);
}

static bool has_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	while (*(text += strspn(text, " \t~"))) {
		size_t n = strcspn(text, " \t");

		if (strncmp(text, word, size) == 0 && (n == size || text[size] == ':'))
			return true;
		text += n;
	}
	return false;
}

bool unit_denies(const struct unit *unit, const char *word)
{
	bool denied = false;

	for (size_t i = 0; i < unit->count; i++) {
		const char *value = unit->lines[i].value;

		if (strcmp(unit->lines[i].key, "SystemCallFilter") != 0)
			continue;
		if (!*value) /* an empty one forgets those before */
			denied = false;
		else if (*value == '~')
			denied = denied || has_word(value, word);
	}
	return denied;
}

static const struct {
	const char *name;
	double ms;
} spans[] = {
	{ "us", 0.001 },
	{ "usec", 0.001 },
	{ "ms", 1 },
	{ "msec", 1 },
	{ "s", 1000 },
	{ "sec", 1000 },
	{ "second", 1000 },
	{ "seconds", 1000 },
	{ "m", 60e3 },
	{ "min", 60e3 },
	{ "minute", 60e3 },
	{ "minutes", 60e3 },
	{ "h", 3600e3 },
	{ "hr", 3600e3 },
	{ "hour", 3600e3 },
	{ "hours", 3600e3 },
	{ "d", 86400e3 },
	{ "day", 86400e3 },
	{ "days", 86400e3 },
	{ "w", 604800e3 },
	{ "week", 604800e3 },
	{ "weeks", 604800e3 },
};

/* The unit of time at *at, which moves behind it; without one: seconds. 0: there is no such unit */
static double span_at(const char **at)
{
	size_t n;

	while (**at == ' ')
		++*at;
	for (n = 0; isalpha((unsigned char)(*at)[n]);)
		n++;
	if (n == 0)
		return 1000;
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
		if (strlen(spans[i].name) == n && strncmp(*at, spans[i].name, n) == 0) {
			*at += n;
			return spans[i].ms;
		}
	return 0;
}

bool unit_time(const char *text, uint64_t *ret_ms)
{
	double sum = 0;

	if (!text || !*text)
		return false;
	if (strcmp(text, "infinity") == 0) {
		*ret_ms = UINT64_MAX;
		return true;
	}
	while (*text) {
		char *end;
		double value = strtod(text, &end), span;
		const char *at = end;

		if (end == text || !(value >= 0 && value < 1e12) || (span = span_at(&at)) == 0)
			return false;
		sum += value * span;
		while (*at == ' ')
			at++;
		text = at;
	}
	*ret_ms = (uint64_t)sum;
	return true;
}

bool unit_bytes(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *end;
	double value;

	if (!text || !*text)
		return false;
	if (strcmp(text, "infinity") == 0) {
		*ret = UINT64_MAX;
		return true;
	}
	value = strtod(text, &end);
	if (end == text || !(value >= 0 && value < 1e18))
		return false;
	suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
	if (suffix)
		end++;
	for (const char *at = suffixes; suffix && at <= suffix; at++)
		value *= 1024;
	if (*end == 'B' && !end[1])
		end++;
	if (*end || value >= 1e19)
		return false;
	*ret = (uint64_t)value;
	return true;
}

bool unit_limit(const char *text, uint64_t *ret)
{
	const char *hard = text ? strchr(text, ':') : NULL;

	return unit_bytes(hard ? hard + 1 : text, ret);
}
