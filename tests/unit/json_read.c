/* SPDX-License-Identifier: MIT */
/*
 * json_read.c - the reader of JSON: what RFC 8259 allows, what it does not, and texts that were
 * made to hurt. Each text stands at the end of a piece of memory of its own size, so that a
 * sanitizer or valgrind sees a read behind it.
 */
#include "../../tools/load/json_read.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALUES 4096

TestSuite(unit_json_read, .timeout = 60);

static struct json_value values[VALUES];

static int read_bytes(struct json_doc *doc, const char *text, size_t size)
{
	char *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, text, size);
	r = json_read(doc, copy, size, values, VALUES);
	cr_assert_leq(doc->count, VALUES);
	cr_assert(r == 0 || (doc->wrong && doc->wrong_at <= size));
	free(copy);
	return r;
}

static int read_text(const char *text)
{
	struct json_doc doc;

	return read_bytes(&doc, text, strlen(text));
}

Test(unit_json_read, all_of_the_grammar)
{
	static const char *const good[] = { "null", " true ", "false", "0", "-0", "10", "-1.5e+3",
		"1E2", "0.25", "\"\"", "\"a\\n\\u00e9\\ud83d\\ude00\"",
		"\"\xc3\xa9\xf0\x9f\x98\x80\"", "[]", "{}", "[1,2,3]", "{\"a\":1,\"b\":[{}]}",
		"\t\r\n [ ] ", "[[[[]]]]" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		cr_assert_eq(read_text(good[i]), 0, "refused: %s", good[i]);
}

Test(unit_json_read, and_nothing_else)
{
	static const char *const bad[] = { "", " ", "nul", "True", "01", "+1", "1.", ".5", "1e",
		"-", "1e+", "0x10", "NaN", "Infinity", "\"", "\"\\\"", "\"\\x\"", "\"\\u12g4\"",
		"\"\n\"", "'a'", "[1,]", "[,1]", "[1 2]", "[", "[1", "]", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "{1:2}", "{\"a\":1 \"b\":2}", "{", "{\"a\"", "{\"a\":1",
		"1 2", "[] []", "/* */ 1", "1,", "\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"",
		"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe0\x80\x80\"", "\"\x80\"",
		"\xef\xbb\xbf{}" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_eq(read_text(bad[i]), -EBADMSG, "taken: %s", bad[i]);
}

Test(unit_json_read, a_nul_is_no_end)
{
	struct json_doc doc;

	cr_assert_eq(read_bytes(&doc, "1\0 2", 4), -EBADMSG);
	cr_assert_eq(read_bytes(&doc, "\"a\0b\"", 5), -EBADMSG);
	cr_assert_eq(read_bytes(&doc, "\"\\\0\"", 4), -EBADMSG);
}

Test(unit_json_read, bounds)
{
	struct json_doc doc;
	char text[VALUES * 2 + 8];

	memset(text, '[', sizeof text);
	cr_assert_eq(read_bytes(&doc, text, 5000), -E2BIG);
	memset(text, '1', sizeof text);
	cr_assert_eq(read_bytes(&doc, text, JSON_READ_NUMBER), 0);
	cr_assert_eq(read_bytes(&doc, text, JSON_READ_NUMBER + 1), -E2BIG);
	cr_assert_eq(read_text("1e999"), -E2BIG);
	for (size_t i = 0; i < VALUES; i++)
		memcpy(text + 2 * i, i ? ",1" : "[1", 2);
	text[2 * VALUES] = ']';
	cr_assert_eq(read_bytes(&doc, text, 2 * VALUES + 1), -E2BIG);
	text[2 * VALUES - 2] = ']';
	cr_assert_eq(read_bytes(&doc, text, 2 * VALUES - 1), 0);
	cr_assert_eq(json_read(&doc, text, (size_t)JSON_READ_SIZE_MAX + 1, values, VALUES), -E2BIG);
	cr_assert_eq(json_read(&doc, "1", 1, values, 0), -E2BIG);
}

Test(unit_json_read, finding)
{
	const char *text = "{\"a\": {\"b\": [10, {\"c\": 2.5}, \"x\"]}, \"a.b\": 1, \"e\": [], "
			   "\"a\": 7}";
	const struct json_value *value;
	struct json_doc doc;

	cr_assert_eq(json_read(&doc, text, strlen(text), values, VALUES), 0);
	cr_assert_eq(json_number(&doc, NULL, "a.b.1.c", -1), 2.5);
	cr_assert_eq(json_number(&doc, NULL, "a.b.0", -1), 10);
	cr_assert_eq(json_number(&doc, NULL, "a.b.2", -1), -1, "a text is no number");
	cr_assert_eq(json_number(&doc, NULL, "a.b.3", -1), -1);
	cr_assert_eq(json_number(&doc, NULL, "a.b.00000000000001", -1), -1);
	cr_assert_eq(json_number(&doc, NULL, "a.x", -1), -1);
	cr_assert_eq(json_number(&doc, NULL, "e.0", -1), -1);
	value = json_find(&doc, NULL, "a.b");
	cr_assert_eq(value->type, JSON_ARRAY);
	cr_assert_eq(value->count, 3);
	cr_assert_eq(json_number(&doc, value, "1.c", -1), 2.5);
	value = json_next(&doc, json_next(&doc, json_first(&doc, value)));
	cr_assert_eq(value->type, JSON_STRING);
	cr_assert(value->size == 1 && *value->text == 'x');
	cr_assert_null(json_next(&doc, value));
	cr_assert_eq(json_find(&doc, NULL, ""), doc.values);
}

/* A valid text with a few bytes changed, cut or doubled. Nothing may be read outside of it. */
Test(unit_json_read, mutants)
{
	static const char seed[] =
		"{\"schema\": \"brood-load/1\", \"n\": [1, -2.5e-3, 0, true], "
		"\"s\": \"\\u00e9\\\\ \xc3\xa9\", \"o\": {\"a\": {}, \"b\": [[]]}}";
	struct unit_random random = { 42 };
	unsigned taken = 0;

	for (unsigned i = 0; i < 200000; i++) {
		char text[sizeof seed * 2];
		size_t size = sizeof seed - 1;
		struct json_doc doc;

		memcpy(text, seed, size);
		for (uint64_t n = 1 + unit_below(&random, 3); n; n--)
			text[unit_below(&random, size)] = (char)unit_random(&random);
		if (!unit_below(&random, 4))
			size = unit_below(&random, size);
		taken += read_bytes(&doc, text, size) == 0;
	}
	cr_assert(taken > 100 && taken < 190000, "%u texts were taken", taken);
}
