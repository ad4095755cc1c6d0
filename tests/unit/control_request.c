/* SPDX-License-Identifier: MIT */
/*
 * control_request.c - which bytes of the control socket are a request, and that no others are. The
 * bytes end where the buffer ends, so a sanitizer sees a read too far.
 */
#include "wire/control_request.h"
#include "base/base.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define ROUNDS 200000

TestSuite(unit_control_request, .timeout = 60);

static struct control_request plain(uint32_t command)
{
	struct control_request r;

	memset(&r, 0, sizeof r);
	r.magic = CONTROL_MAGIC;
	r.version = CONTROL_VERSION;
	r.size = sizeof r;
	r.command = command;
	if (command == CONTROL_RESIZE)
		r.max = 1;
	if (command == CONTROL_CANCEL)
		r.job = 1;
	return r;
}

/* Looks at bytes that stand in memory of exactly that size. A refusal must have its sentence. */
static int check(const void *bytes, size_t size, struct control_request *ret)
{
	void *copy = malloc(size + (size == 0));
	const char *why = NULL;
	int r;

	cr_assert_not_null(copy);
	memcpy(copy, bytes, size);
	r = control_request_check(copy, size, ret, &why);
	free(copy);
	cr_assert(r == 0 || r == -EINVAL || r == -EPROTO, "%d", r);
	cr_assert(r == 0 ? why == NULL : why && *why && strlen(why) < CONTROL_TEXT_MAX);
	return r;
}

static int judge(const struct control_request *r)
{
	struct control_request got;

	return check(r, sizeof *r, &got);
}

Test(unit_control_request, each_command_as_it_is_meant)
{
	for (uint32_t c = 1; c < CONTROL_COMMANDS; c++) {
		struct control_request r = plain(c), got;

		cr_assert_not_null(control_request_word(c));
		cr_assert_eq(check(&r, sizeof r, &got), 0, "%s", control_request_word(c));
		cr_assert_eq(memcmp(&r, &got, sizeof r), 0);
	}
	cr_assert_null(control_request_word(0));
	cr_assert_null(control_request_word(CONTROL_COMMANDS));
	cr_assert_null(control_request_word(UINT32_MAX));
}

Test(unit_control_request, other_sizes_and_versions)
{
	struct control_request r = plain(CONTROL_DRAIN), got;
	unsigned char more[sizeof r + 1] = { 0 };

	memcpy(more, &r, sizeof r);
	for (size_t size = 0; size < sizeof r; size++)
		cr_assert_eq(check(&r, size, &got), -EPROTO, "%zu", size);
	cr_assert_eq(check(more, sizeof more, &got), -EPROTO);
	r.version++;
	cr_assert_eq(judge(&r), -EPROTO);
	r = plain(CONTROL_DRAIN);
	r.size++;
	cr_assert_eq(judge(&r), -EPROTO);
	r = plain(CONTROL_DRAIN);
	r.magic ^= 1;
	cr_assert_eq(judge(&r), -EPROTO);
}

Test(unit_control_request, commands_that_there_are_not)
{
	struct control_request r = plain(0);

	cr_assert_eq(judge(&r), -EINVAL);
	r.command = CONTROL_COMMANDS;
	cr_assert_eq(judge(&r), -EINVAL);
	r.command = UINT32_MAX;
	cr_assert_eq(judge(&r), -EINVAL);
}

/* What a command does not use must be 0: a later version may give it a meaning. */
Test(unit_control_request, fields_of_other_commands)
{
	static const bool uses[CONTROL_COMMANDS][5] = {
		/* slot, min and max, wait_ms, job, pool */
		[CONTROL_RELOAD] = { false, false, true, false, true },
		[CONTROL_RESIZE] = { false, true, false, false, true },
		[CONTROL_RETIRE] = { true },
		[CONTROL_KILL] = { true },
		[CONTROL_CANCEL] = { false, false, false, true, false },
	};

	for (uint32_t c = 1; c < CONTROL_COMMANDS; c++)
		for (int field = 0; field < 5; field++) {
			struct control_request r = plain(c);

			switch (field) {
			case 0: r.slot = 3; break;
			case 1: r.max = 4; break;
			case 2: r.wait_ms = 5; break;
			case 3: r.job = 6; break;
			default: memcpy(r.pool, "main", 4); break;
			}
			cr_assert_eq(judge(&r), uses[c][field] ? 0 : -EINVAL, "%s, field %d",
				control_request_word(c), field);
			r = plain(c);
			r.reserved32 = 1;
			cr_assert_eq(judge(&r), -EINVAL);
		}
}

Test(unit_control_request, sizes_of_a_pool)
{
	static const struct {
		uint32_t min, max;
		int r;
	} sizes[] = { { 0, 1, 0 }, { 1, 1, 0 }, { 0, UINT32_MAX, 0 }, { 0, 0, -EINVAL },
		{ 2, 1, -EINVAL }, { UINT32_MAX, UINT32_MAX, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct control_request r = plain(CONTROL_RESIZE);

		r.min = sizes[i].min;
		r.max = sizes[i].max;
		cr_assert_eq(judge(&r), sizes[i].r, "%u, %u", r.min, r.max);
	}
}

Test(unit_control_request, names_of_pools)
{
	struct control_request r = plain(CONTROL_RELOAD);

	memset(r.pool, 'x', sizeof r.pool);
	cr_assert_eq(judge(&r), -EINVAL, "no NUL");
	r.pool[sizeof r.pool - 1] = '\0';
	cr_assert_eq(judge(&r), 0);
	r.pool[3] = '\0';
	cr_assert_eq(judge(&r), -EINVAL, "bytes behind the NUL");
	r = plain(CONTROL_RELOAD);
	memcpy(r.pool, "a\033b", 3);
	cr_assert_eq(judge(&r), -EINVAL, "a control character would go to the log");
}

/* Random bytes behind a good head, or one changed bit: never more than a refusal. */
Test(unit_control_request, garbage)
{
	struct unit_random random = { 0x636f6e74726f6c };
	int fine = 0;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t command = 1 + (uint32_t)unit_below(&random, CONTROL_COMMANDS - 1);
		struct control_request r = plain(command), got;
		unsigned char *bytes = (unsigned char *)&r;
		size_t from = i % 2 ? 0 : offsetof(struct control_request, command);

		if (i % 3)
			bytes[unit_below(&random, sizeof r)] ^= 1u << unit_below(&random, 8);
		else
			for (size_t k = from; k < sizeof r; k++)
				bytes[k] = (unsigned char)unit_random(&random);
		if (check(bytes, unit_below(&random, 4) ? sizeof r : unit_below(&random, sizeof r),
			    &got) < 0)
			continue;
		fine++;
		cr_assert(control_request_word(got.command));
		cr_assert_lt(strnlen(got.pool, sizeof got.pool), sizeof got.pool);
		cr_assert(got.command != CONTROL_RESIZE || (got.max > 0 && got.min <= got.max));
		cr_assert(got.command != CONTROL_CANCEL || got.job != 0);
	}
	cr_assert_gt(fine, 0);
}

Test(unit_control_request, replies)
{
	struct control_reply r, got;

	memset(&r, 0, sizeof r);
	r.magic = CONTROL_MAGIC;
	r.version = CONTROL_VERSION;
	r.size = sizeof r;
	cr_assert_eq(control_request_check_reply(&r, sizeof r, &got), 0);
	cr_assert_eq(control_request_check_reply(&r, sizeof r - 1, &got), -EPROTO);
	cr_assert_eq(control_request_check_reply(&r, 0, &got), -EPROTO);
	r.result = 1;
	cr_assert_eq(control_request_check_reply(&r, sizeof r, &got), -EPROTO);
	r.result = -ENOENT;
	cr_assert_eq(control_request_check_reply(&r, sizeof r, &got), 0);
	memset(r.text, 'x', sizeof r.text);
	cr_assert_eq(control_request_check_reply(&r, sizeof r, &got), -EPROTO);
}
