/* SPDX-License-Identifier: MIT */
/* json_read.c - see json_read.h. */
#include "json_read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct json_doc *doc;
	size_t at;
	int error; /* the first one; 0: none so far */
};

static bool fail(struct reader *r, int error, const char *why)
{
	if (!r->error) {
		r->error = error;
		r->doc->wrong = why;
		r->doc->wrong_at = r->at;
	}
	return false;
}

/* -1: the text is over. A NUL in the text is a character like others. */
static int peek(const struct reader *r)
{
	return r->at < r->doc->size ? (unsigned char)r->doc->text[r->at] : -1;
}

static void space(struct reader *r)
{
	int c = peek(r);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		r->at++;
		c = peek(r);
	}
}

/* ---- strings --------------------------------------------------------------------------------- */

static int hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool escape(struct reader *r)
{
	int c;

	r->at++;
	c = peek(r);
	if (c < 0 || !c || !strchr("\"\\/bfnrtu", c))
		return fail(r, -EBADMSG, "there is no such escape");
	r->at++;
	for (int i = 0; c == 'u' && i < 4; i++, r->at++) {
		if (hex(peek(r)) < 0)
			return fail(r, -EBADMSG, "\\u wants four hexadecimal digits");
	}
	return true;
}

/* One character of UTF-8 that is not ASCII: its shortest form, no surrogate, none above 10FFFF. */
static bool utf8(struct reader *r)
{
	int c = peek(r), more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	uint32_t code = (uint32_t)c & (0x3fu >> more);
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	if (c < 0xc2 || c > 0xf4)
		return fail(r, -EBADMSG, "this is no UTF-8");
	for (int i = 0; i < more; i++) {
		r->at++;
		if ((peek(r) & ~0x3f) != 0x80)
			return fail(r, -EBADMSG, "this is no UTF-8");
		code = code << 6 | ((uint32_t)peek(r) & 0x3f);
	}
	r->at++;
	if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return fail(r, -EBADMSG, "this is no UTF-8");
	return true;
}

/* From the opening quote to behind the closing one. */
static bool string(struct reader *r, const char **ret, size_t *ret_size)
{
	size_t begin;

	if (peek(r) != '"')
		return fail(r, -EBADMSG, "expected a string");
	begin = ++r->at;
	for (;;) {
		int c = peek(r);
		bool good = true;

		if (c < 0x20)
			return fail(r, -EBADMSG, "a control character, or the end, in a string");
		if (c == '"')
			break;
		if (c == '\\')
			good = escape(r);
		else if (c >= 0x80)
			good = utf8(r);
		else
			r->at++;
		if (!good)
			return false;
	}
	*ret = r->doc->text + begin;
	*ret_size = r->at++ - begin;
	return true;
}

/* ---- numbers and words ----------------------------------------------------------------------- */

static bool digits(struct reader *r)
{
	int c = peek(r);

	if (c < '0' || c > '9')
		return fail(r, -EBADMSG, "expected a digit");
	for (; c >= '0' && c <= '9'; c = peek(r))
		r->at++;
	return true;
}

static bool number_text(struct reader *r)
{
	if (peek(r) == '-')
		r->at++;
	if (peek(r) == '0')
		r->at++;
	else if (!digits(r))
		return false;
	if (peek(r) == '.') {
		r->at++;
		if (!digits(r))
			return false;
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->at++;
		if (peek(r) == '+' || peek(r) == '-')
			r->at++;
		return digits(r);
	}
	return true;
}

static bool number(struct reader *r, struct json_value *value)
{
	char copy[JSON_READ_NUMBER + 1];
	size_t begin = r->at, size;

	if (!number_text(r))
		return false;
	size = r->at - begin;
	if (size > JSON_READ_NUMBER)
		return fail(r, -E2BIG, "a number of too many digits");
	memcpy(copy, r->doc->text + begin, size);
	copy[size] = 0;
	value->type = JSON_NUMBER;
	value->number = strtod(copy, NULL);
	return isfinite(value->number) || fail(r, -E2BIG, "a number that is too large");
}

static bool word(struct reader *r, struct json_value *value, const char *text, enum json_type type)
{
	size_t size = strlen(text);

	if (r->doc->size - r->at < size || memcmp(r->doc->text + r->at, text, size) != 0)
		return fail(r, -EBADMSG, "expected a value");
	r->at += size;
	value->type = type;
	return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool read_value(struct reader *r, uint32_t *ret, unsigned depth);

/* In an object: the key before the value. */
static bool read_key(struct reader *r, const char **ret, size_t *ret_size)
{
	if (!string(r, ret, ret_size))
		return false;
	space(r);
	if (peek(r) != ':')
		return fail(r, -EBADMSG, "expected a colon");
	r->at++;
	return true;
}

static bool read_element(struct reader *r, bool keyed, uint32_t *ret, unsigned depth)
{
	const char *key = NULL;
	size_t size = 0;

	space(r);
	if ((keyed && !read_key(r, &key, &size)) || !read_value(r, ret, depth + 1))
		return false;
	r->doc->values[*ret].key = key;
	r->doc->values[*ret].key_size = (uint32_t)size;
	return true;
}

/* An array, or an object: `close` says which. */
static bool read_group(struct reader *r, uint32_t self, char close, unsigned depth)
{
	struct json_value *values = r->doc->values;
	uint32_t last = 0, index = 0;

	values[self].type = close == '}' ? JSON_OBJECT : JSON_ARRAY;
	if (depth >= JSON_READ_DEPTH)
		return fail(r, -E2BIG, "too deep");
	r->at++;
	space(r);
	while (peek(r) != close) {
		if (last && peek(r) != ',')
			return fail(r, -EBADMSG, "expected a comma, or the end of the group");
		r->at += last != 0;
		if (!read_element(r, close == '}', &index, depth))
			return false;
		if (last)
			values[last].next = index;
		else
			values[self].first = index;
		last = index;
		values[self].count++;
		space(r);
	}
	r->at++;
	return true;
}

static bool read_any(struct reader *r, uint32_t self, unsigned depth)
{
	struct json_value *value = &r->doc->values[self];

	switch (peek(r)) {
	case '{': return read_group(r, self, '}', depth);
	case '[': return read_group(r, self, ']', depth);
	case '"': value->type = JSON_STRING; return string(r, &value->text, &value->size);
	case 't': return word(r, value, "true", JSON_TRUE);
	case 'f': return word(r, value, "false", JSON_FALSE);
	case 'n': return word(r, value, "null", JSON_NULL);
	case -1: return fail(r, -EBADMSG, "the text ends where a value should be");
	default: return number(r, value);
	}
}

static bool read_value(struct reader *r, uint32_t *ret, unsigned depth)
{
	struct json_doc *doc = r->doc;
	uint32_t self = doc->count;
	size_t begin;

	space(r);
	if (self >= doc->max)
		return fail(r, -E2BIG, "too many values");
	doc->count++;
	memset(&doc->values[self], 0, sizeof doc->values[self]);
	begin = r->at;
	if (!read_any(r, self, depth))
		return false;
	if (doc->values[self].type != JSON_STRING) {
		doc->values[self].text = doc->text + begin;
		doc->values[self].size = r->at - begin;
	}
	*ret = self;
	return true;
}

int json_read(struct json_doc *doc, const char *text, size_t size, struct json_value *values,
	uint32_t max)
{
	struct reader r = { .doc = doc };
	uint32_t whole;

	*doc = (struct json_doc){ .text = text, .size = size, .values = values, .max = max };
	if (size > JSON_READ_SIZE_MAX) {
		fail(&r, -E2BIG, "too large");
		return r.error;
	}
	if (read_value(&r, &whole, 0)) {
		space(&r);
		if (r.at < size)
			fail(&r, -EBADMSG, "something stands after the end");
	}
	return r.error;
}

/* ---- finding --------------------------------------------------------------------------------- */

const struct json_value *json_first(const struct json_doc *doc, const struct json_value *of)
{
	return of && of->first ? &doc->values[of->first] : NULL;
}

const struct json_value *json_next(const struct json_doc *doc, const struct json_value *value)
{
	return value && value->next ? &doc->values[value->next] : NULL;
}

static bool is_step(const struct json_value *value, uint32_t index, const char *step, size_t size)
{
	uint32_t wanted = 0;

	if (value->key)
		return value->key_size == size && memcmp(value->key, step, size) == 0;
	if (!size || size > 8)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (step[i] < '0' || step[i] > '9')
			return false;
		wanted = wanted * 10 + (uint32_t)(step[i] - '0');
	}
	return wanted == index;
}

const struct json_value *json_find(
	const struct json_doc *doc, const struct json_value *from, const char *path)
{
	const struct json_value *at = from ? from : doc->values;

	while (at && *path) {
		size_t size = strcspn(path, ".");
		uint32_t index = 0;

		for (at = json_first(doc, at); at && !is_step(at, index, path, size); index++)
			at = json_next(doc, at);
		path += size;
		path += *path == '.';
	}
	return at;
}

double json_number(const struct json_doc *doc, const struct json_value *from, const char *path,
	double otherwise)
{
	const struct json_value *value = json_find(doc, from, path);

	return value && value->type == JSON_NUMBER ? value->number : otherwise;
}
