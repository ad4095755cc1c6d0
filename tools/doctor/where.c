/* SPDX-License-Identifier: MIT */
/* where.c - see where.h */
#include "where.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_of(const struct where *w, char ret[PATH_MAX], const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
static void path_of(const struct where *w, char ret[PATH_MAX], const char *format, va_list args)
{
	int n = snprintf(ret, PATH_MAX, "%s", w->root);

	if (n >= 0 && n < PATH_MAX)
		vsnprintf(ret + n, PATH_MAX - (size_t)n, format, args);
}

void where_path(const struct where *w, char ret[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	path_of(w, ret, format, args);
	va_end(args);
}

static bool read_path(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = 0;
	ssize_t n = -1;

	ret[0] = '\0';
	if (fd < 0)
		return false;
	while (length + 1 < size && (n = read(fd, ret + length, size - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	while (length > 0 && ret[length - 1] == '\n')
		length--;
	ret[length] = '\0';
	return n >= 0;
}

bool where_read(const struct where *w, char *ret, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	path_of(w, path, format, args);
	va_end(args);
	return read_path(path, ret, size);
}

bool where_exists(const struct where *w, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	path_of(w, path, format, args);
	va_end(args);
	return access(path, F_OK) == 0;
}

bool where_number(const struct where *w, uint64_t *ret, const char *format, ...)
{
	char path[PATH_MAX], text[64], *end;
	unsigned long long value;
	va_list args;

	va_start(args, format);
	path_of(w, path, format, args);
	va_end(args);
	if (!read_path(path, text, sizeof text) || text[0] < '0' || text[0] > '9')
		return false;
	value = strtoull(text, &end, 10);
	if (*end)
		return false;
	*ret = value;
	return true;
}

void where_process(pid_t pid, char ret[16])
{
	if (pid > 0)
		snprintf(ret, 16, "%d", (int)pid);
	else
		snprintf(ret, 16, "self");
}

const char *where_manager(const struct where *w, const char *key, char ret[256])
{
	char text[8192], line[64];
	const char *at;

	if (!where_read(w, text, sizeof text, "/etc/systemd/system.conf"))
		return NULL;
	snprintf(line, sizeof line, "%s=", key);
	at = where_line(text, line);
	if (!at)
		return NULL;
	snprintf(ret, 256, "%.*s", (int)strcspn(at, "\n \t"), at);
	return ret;
}

const char *where_line(const char *text, const char *key)
{
	size_t size = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, size) == 0)
			return text + size;
	}
	return NULL;
}
