/* SPDX-License-Identifier: MIT */
/*
 * json_read.h - reads a text of JSON that may be hostile: all of RFC 8259 with valid UTF-8, and no
 * more. Depth, size and number of values are bounded. The caller gives the memory; the reader makes
 * no system call.
 */
#ifndef BROOD_LOAD_JSON_READ_H
#define BROOD_LOAD_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_READ_SIZE_MAX (64u << 20)
#define JSON_READ_DEPTH    32
#define JSON_READ_NUMBER   64 /* a longer number is refused */

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/*
 * A value. `key` and `text` lie in the text that was read, without quotes, and with the escapes as
 * they are written. The text of an array or object is all of it.
 */
struct json_value {
	enum json_type type;
	uint32_t next;  /* the next one of the same array or object; 0: there is none */
	uint32_t first; /* of an array or object: its first element; 0: it is empty */
	uint32_t count; /* its elements */
	uint32_t key_size;
	const char *key; /* NULL: not in an object */
	const char *text;
	size_t size;
	double number;
};

struct json_doc {
	const char *text;
	size_t size;
	struct json_value *values; /* values[0] is the whole */
	uint32_t count, max;
	const char *wrong; /* why the text was refused */
	size_t wrong_at;   /* byte */
};
/*
 * 0, or -EBADMSG: no JSON; -E2BIG: larger, deeper or of more values than is allowed. Then
 * doc->wrong and doc->wrong_at say why.
 */
int json_read(struct json_doc *doc, const char *text, size_t size, struct json_value *values,
	uint32_t max);
/* path: keys and indexes, as in "latency_us.echo.p50" or "compare.0". NULL: it is not there. */
const struct json_value *json_find(
	const struct json_doc *doc, const struct json_value *from, const char *path);
/* The first element, and the next one. NULL: there is none. */
const struct json_value *json_first(const struct json_doc *doc, const struct json_value *of);
const struct json_value *json_next(const struct json_doc *doc, const struct json_value *value);
/* The number at the path; `otherwise` when there is none. */
double json_number(const struct json_doc *doc, const struct json_value *from, const char *path,
	double otherwise);

#endif
