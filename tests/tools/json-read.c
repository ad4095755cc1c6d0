/* SPDX-License-Identifier: MIT */
/*
 * json-read.c - checks a file of JSON, all of RFC 8259 but the validity of UTF-8, and says what
 * stands in it.
 *
 *   json-read FILE [PATH]...      a line a path, as in jobs.done: the value as it is written; of an
 *                                 object its keys, joined by commas; of an array the number of its
 *                                 elements
 *
 * Exit: 0; 1 the file is no JSON (where, on standard error); 2 there is no such path.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

struct value {
	char *path, *text;
};
static struct value *values;
static size_t count;
static const char *start, *at;

static void wrong(const char *what) __attribute__((noreturn));
static void wrong(const char *what)
{
	fprintf(stderr, "json-read: at byte %td: %s\n", at - start, what);
	exit(1);
}

static void *must(void *memory)
{
	if (!memory) {
		perror("json-read");
		exit(1);
	}
	return memory;
}

static void keep(const char *path, const char *text, size_t size)
{
	values = must(realloc(values, (count + 1) * sizeof *values));
	values[count].path = must(strdup(path));
	values[count].text = must(strndup(text, size));
	count++;
}

static void space(void)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
		at++;
}

static void expect(char c)
{
	char what[] = "expected ' '";

	what[10] = c;
	if (*at != c)
		wrong(what);
	at++;
}

/* Past the closing quote; what is between them, as written. */
static const char *string(size_t *ret_size)
{
	const char *begin;

	expect('"');
	for (begin = at; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			wrong("a control character, or the end, in a string");
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u') {
			for (int i = 0; i < 4; i++) {
				if (!isxdigit((unsigned char)*++at))
					wrong("\\u wants four hexadecimal digits");
			}
		} else if (!*at || !strchr("\"\\/bfnrt", *at)) {
			wrong("an escape that there is not");
		}
	}
	*ret_size = (size_t)(at - begin);
	at++;
	return begin;
}

static void digits(void)
{
	if (!isdigit((unsigned char)*at))
		wrong("expected a digit");
	while (isdigit((unsigned char)*at))
		at++;
}

static void number(void)
{
	if (*at == '-')
		at++;
	if (*at == '0')
		at++;
	else
		digits();
	if (*at == '.') {
		at++;
		digits();
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		if (*at == '+' || *at == '-')
			at++;
		digits();
	}
}

static void word(const char *text)
{
	if (strncmp(at, text, strlen(text)))
		wrong("expected a value");
	at += strlen(text);
}

static void value(const char *path, int depth);

static void member(const char *path, const char *key, size_t size, int depth)
{
	size_t length = strlen(path) + size + 2;
	char *inner = must(malloc(length));

	snprintf(inner, length, "%s%s%.*s", path, *path ? "." : "", (int)size, key);
	value(inner, depth + 1);
	free(inner);
}

static void object(const char *path, int depth)
{
	char keys[4096] = "";
	size_t size;

	at++;
	space();
	while (*at != '}') {
		const char *key = string(&size);
		size_t used = strlen(keys);

		snprintf(
			keys + used, sizeof keys - used, "%s%.*s", used ? "," : "", (int)size, key);
		space();
		expect(':');
		member(path, key, size, depth);
		space();
		if (*at == '}')
			break;
		expect(',');
		space();
		if (*at == '}')
			wrong("a comma before the end");
	}
	at++;
	keep(path, keys, strlen(keys));
}

static void array(const char *path, int depth)
{
	char index[24];
	size_t n = 0;

	at++;
	space();
	while (*at != ']') {
		snprintf(index, sizeof index, "%zu", n++);
		member(path, index, strlen(index), depth);
		space();
		if (*at == ']')
			break;
		expect(',');
		space();
		if (*at == ']')
			wrong("a comma before the end");
	}
	at++;
	snprintf(index, sizeof index, "%zu", n);
	keep(path, index, strlen(index));
}

static void value(const char *path, int depth)
{
	const char *begin;
	size_t size;

	if (depth > DEPTH_MAX)
		wrong("too deep");
	space();
	begin = at;
	switch (*at) {
	case '{': object(path, depth); return;
	case '[': array(path, depth); return;
	case '"':
		begin = string(&size);
		keep(path, begin, size);
		return;
	case 't': word("true"); break;
	case 'f': word("false"); break;
	case 'n': word("null"); break;
	default: number(); break;
	}
	keep(path, begin, (size_t)(at - begin));
}

static char *read_all(const char *name)
{
	FILE *file = strcmp(name, "-") ? fopen(name, "r") : stdin;
	size_t size = 0, room = 8 << 20;
	char *text = must(malloc(room));

	if (!file) {
		perror(name);
		exit(1);
	}
	size = fread(text, 1, room - 1, file);
	text[size] = 0;
	if (size == room - 1 || strlen(text) != size) {
		fprintf(stderr, "json-read: %s: too long, or with a NUL in it\n", name);
		exit(1);
	}
	return text;
}

static bool print(const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(values[i].path, path)) {
			puts(values[i].text);
			return true;
		}
	}
	fprintf(stderr, "json-read: there is no %s\n", path);
	return false;
}

int main(int argc, char **argv)
{
	bool all = true;

	if (argc < 2) {
		fprintf(stderr, "usage: json-read FILE [PATH]...\n");
		return 1;
	}
	start = at = read_all(argv[1]);
	value("", 0);
	space();
	if (*at)
		wrong("more than one value");
	for (int i = 2; i < argc; i++)
		all = print(argv[i]) && all;
	return all ? 0 : 2;
}
