/* SPDX-License-Identifier: MIT */
/* json.c - see json.h */
#include "json.h"

#include <inttypes.h>
#include <string.h>

/* How many bytes a character of valid UTF-8 has; 0: it is none. */
static size_t utf8(const unsigned char *at)
{
	size_t n = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	if (*at > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* longer than need be, half of a pair of UTF-16, or beyond the last one */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) ||
		(*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90))
		return 0;
	return n;
}

static void put_string(FILE *file, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	putc('"', file);
	while (*at) {
		size_t n = utf8(at);

		if (n == 0) {
			fputs("\\ufffd", file);
			n = 1;
		} else if (*at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) {
			fprintf(file, "\\u%04x", n == 1 ? *at : at[1]);
		} else if (*at == '"' || *at == '\\') {
			fprintf(file, "\\%c", *at);
		} else {
			fwrite(at, 1, n, file);
		}
		at += n;
	}
	putc('"', file);
}

static void key_of(struct json *json, const char *key)
{
	if (json->follows)
		putc(',', json->file);
	json->follows = true;
	if (!key)
		return;
	put_string(json->file, key);
	putc(':', json->file);
}

void json_begin(struct json *json, const char *key, char bracket)
{
	key_of(json, key);
	putc(bracket, json->file);
	json->follows = false;
}

void json_end(struct json *json, char bracket)
{
	putc(bracket, json->file);
	json->follows = true;
}

void json_count(struct json *json, const char *key, uint64_t value)
{
	key_of(json, key);
	fprintf(json->file, "%" PRIu64, value);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	key_of(json, key);
	fprintf(json->file, "%" PRId64, value);
}

void json_seconds(struct json *json, const char *key, uint64_t ns)
{
	key_of(json, key);
	fprintf(json->file, "%" PRIu64 ".%09" PRIu64, ns / UINT64_C(1000000000),
		ns % UINT64_C(1000000000));
}

void json_bool(struct json *json, const char *key, bool value)
{
	key_of(json, key);
	fputs(value ? "true" : "false", json->file);
}

void json_null(struct json *json, const char *key)
{
	key_of(json, key);
	fputs("null", json->file);
}

void json_text(struct json *json, const char *key, const char *text)
{
	key_of(json, key);
	put_string(json->file, text);
}
