/* SPDX-License-Identifier: MIT */
/* fastcgi.c - records, against the bytes of the specification, in pieces of each size. */
#include "../../tools/load/fastcgi.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(unit_fastcgi, .timeout = 60);

Test(unit_fastcgi, a_request)
{
	static const unsigned char expected[] = { /* begin: a responder, the connection closes */
		1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
		/* a parameter */
		1, 4, 0, 1, 0, 5, 0, 0, 1, 2, 'A', 'b', 'c',
		/* the end of the parameters */
		1, 4, 0, 1, 0, 0, 0, 0
	};
	struct fastcgi_text t;

	fastcgi_begin(&t);
	fastcgi_param(&t, "A", "bc");
	fastcgi_params_end(&t);
	cr_assert_not(t.full);
	cr_assert_eq(t.used, sizeof expected);
	cr_assert_eq(memcmp(t.data, expected, sizeof expected), 0);
}

Test(unit_fastcgi, a_long_parameter)
{
	static const unsigned char lengths[] = { 1, 0x80, 0, 0, 200 };
	struct fastcgi_text t;
	char value[201];

	memset(value, 'v', 200);
	value[200] = 0;
	fastcgi_begin(&t);
	fastcgi_param(&t, "N", value);
	cr_assert_eq(memcmp(t.data + 24, lengths, sizeof lengths), 0);
	cr_assert_eq(t.data[20] << 8 | t.data[21], 206);
	for (unsigned i = 0; i < 40 && !t.full; i++)
		fastcgi_param(&t, "N", value);
	cr_assert(t.full, "so many do not fit");
	cr_assert_leq(t.used, sizeof t.data);
}

static size_t put(unsigned char *at, enum fastcgi_type type, const void *data, size_t size,
	unsigned char padding)
{
	fastcgi_header(type, size, at);
	at[6] = padding;
	memcpy(at + FASTCGI_HEADER, data, size);
	memset(at + FASTCGI_HEADER + size, 0xee, padding);
	return FASTCGI_HEADER + size + padding;
}

struct heard {
	char out[64], err[64];
	size_t out_size, err_size;
	struct fastcgi_reader reader;
};

static void hear(const unsigned char *data, size_t size, size_t step, struct heard *ret)
{
	struct fastcgi_piece piece;

	memset(ret, 0, sizeof *ret);
	for (size_t at = 0, part; at < size; at += part) {
		size_t room = size - at < step ? size - at : step;

		part = fastcgi_read(&ret->reader, data + at, room, &piece);
		cr_assert(part >= 1 && part <= room);
		if (piece.type == FASTCGI_STDOUT) {
			memcpy(ret->out + ret->out_size, piece.data, piece.size);
			ret->out_size += piece.size;
		} else if (piece.type == FASTCGI_STDERR) {
			memcpy(ret->err + ret->err_size, piece.data, piece.size);
			ret->err_size += piece.size;
		}
	}
}

Test(unit_fastcgi, an_answer_in_pieces_of_each_size)
{
	static const unsigned char end[8] = { 0, 0, 1, 7, 2 };
	unsigned char data[256];
	struct heard h;
	size_t size;

	size = put(data, FASTCGI_STDOUT, "hello ", 6, 2);
	size += put(data + size, FASTCGI_STDERR, "oh", 2, 0);
	size += put(data + size, FASTCGI_STDOUT, "world", 5, 3);
	size += put(data + size, FASTCGI_STDOUT, "", 0, 0);
	size += put(data + size, FASTCGI_END, end, 8, 0);
	size += put(data + size, FASTCGI_STDOUT, "more", 4, 0);
	for (size_t step = 1; step <= size; step++) {
		hear(data, size, step, &h);
		cr_assert_eq(h.out_size, 11, "in steps of %zu: %zu", step, h.out_size);
		cr_assert_eq(memcmp(h.out, "hello world", 11), 0);
		cr_assert_eq(h.err_size, 2);
		cr_assert(h.reader.ended);
		cr_assert_not(h.reader.broken);
		cr_assert_eq(h.reader.app_status, 0x107);
		cr_assert_eq(h.reader.protocol_status, 2);
	}
	hear(data, size - FASTCGI_HEADER - 4 - 1, 3, &h);
	cr_assert_not(h.reader.ended, "a byte of the end is missing");
}

Test(unit_fastcgi, something_else)
{
	struct heard h;

	hear((const unsigned char *)"HTTP/1.1 400 Bad Request\r\n", 26, 5, &h);
	cr_assert(h.reader.broken);
	cr_assert_not(h.reader.ended);
	cr_assert_eq(h.out_size, 0);
}

Test(unit_fastcgi, a_head_in_pieces_of_each_size)
{
	static const char text[] = "Status: 404 Not Found\r\nX-Load-Pid:17\r\n\r\nbody\n\n";

	for (size_t step = 1; step < sizeof text; step++) {
		struct fastcgi_head h = { 0 };
		size_t head = 0;

		for (size_t at = 0; at < sizeof text - 1; at += step) {
			size_t part = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;

			head += fastcgi_head_add(&h, (const unsigned char *)text + at, part);
		}
		cr_assert(h.whole);
		cr_assert_eq(head, sizeof text - 1 - 6, "in steps of %zu: %zu", step, head);
		cr_assert_eq(fastcgi_head_number(&h, "Status", 200), 404);
		cr_assert_eq(fastcgi_head_number(&h, "x-load-pid", 0), 17);
		cr_assert_eq(fastcgi_head_number(&h, "Stat", 5), 5);
	}
}

Test(unit_fastcgi, heads_of_other_shapes)
{
	struct fastcgi_head h = { 0 };
	char large[5000];

	cr_assert_eq(fastcgi_head_number(&h, "Status", 3), 3);
	cr_assert_eq(fastcgi_head_add(&h, (const unsigned char *)"\nbody", 5), 1, "an empty one");
	cr_assert(h.whole);
	memset(&h, 0, sizeof h);
	memset(large, 'x', sizeof large);
	cr_assert_eq(
		fastcgi_head_add(&h, (const unsigned char *)large, sizeof large), sizeof large);
	cr_assert_not(h.whole);
	cr_assert_lt(h.used, sizeof h.text);
	/* The end of a head that does not fit is found where it is. */
	cr_assert_eq(fastcgi_head_add(&h, (const unsigned char *)"\r\n", 2), 2);
	cr_assert_not(h.whole);
	cr_assert_eq(fastcgi_head_add(&h, (const unsigned char *)"y\r\n\r\nbody", 9), 5);
	cr_assert(h.whole);
	cr_assert_lt(h.used, sizeof h.text);
}

/* The last byte that fits is a newline: an end is not where the lines go on. */
Test(unit_fastcgi, a_head_that_is_full_at_the_end_of_a_line)
{
	struct fastcgi_head h = { 0 };
	char large[sizeof h.text - 1];

	memset(large, 'x', sizeof large);
	large[sizeof large - 1] = '\n';
	fastcgi_head_add(&h, (const unsigned char *)large, sizeof large);
	cr_assert_eq(fastcgi_head_add(&h, (const unsigned char *)"a: b\n", 5), 5);
	cr_assert_not(h.whole, "a line more");
	cr_assert_eq(fastcgi_head_add(&h, (const unsigned char *)"\nbody", 5), 1);
	cr_assert(h.whole);
}
