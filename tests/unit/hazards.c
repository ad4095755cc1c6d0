/* SPDX-License-Identifier: MIT */
/* hazards.c - what will cost jobs although the start goes well: what has a line, in which words. */
#include "front/hazards.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(unit_hazards, .timeout = 20);

#define MIB (UINT64_C(1) << 20)

static const struct pool_setup setups[] = {
	{ .name = "main", .options = { .workers = 4, .worker_memory = 64 * MIB } },
	{ .name = "php", .options = { .workers = 3 } },
};
static const struct pool_setups pools = { .list = setups, .count = 2 };

static struct hazards none(void)
{
	return (struct hazards){
		.memory_left = UINT64_MAX, .signals_known = true, .signals = 1, .signals_limit = 2
	};
}

static struct hazards_lines judge(struct hazards h)
{
	struct hazards_lines lines;

	hazards_judge(&h, &pools, &lines);
	return lines;
}

static void has(const char *text, const char *words)
{
	cr_assert(strstr(text, words), "\"%s\" is not in: %s", words, text);
	cr_assert_lt(strlen(text), HAZARDS_LINE - 1, "it was cut: %s", text);
}

Test(unit_hazards, none)
{
	struct hazards h = none();

	cr_assert_str_eq(judge(h).oom_group, "");
	cr_assert_str_eq(judge(h).signals, "");
	cr_assert_str_eq(judge(h).memory, "");
	h.signals_known = false;
	h.signals_limit = 0;
	cr_assert_str_eq(judge(h).signals, "", "nobody knows");
}

Test(unit_hazards, a_group_that_dies_together)
{
	struct hazards h = none();

	memset(h.oom_group, 'x', sizeof h.oom_group - 1);
	has(judge(h).oom_group, "memory.oom.group of the cgroup xxx");
	has(judge(h).oom_group, "worker_memory)");
	snprintf(h.oom_group, sizeof h.oom_group, "/kubepods/pod1");
	has(judge(h).oom_group, "of the cgroup /kubepods/pod1 is 1: where one worker");
}

Test(unit_hazards, no_signal_left)
{
	struct hazards h = none();

	h.signals = UINT64_MAX;
	h.signals_limit = UINT64_MAX - 1;
	has(judge(h).signals, "is used up: 18446744073709551615 of 18446744073709551614 signals");
	has(judge(h).signals, "(SigQ in /proc/PID/status)");
	h.signals = h.signals_limit = 0;
	has(judge(h).signals, "0 of 0 signals");
}

Test(unit_hazards, memory_that_is_not_promised)
{
	struct hazards h = none();

	h.memory_left = 256 * MIB;
	cr_assert_str_eq(judge(h).memory, "");
	h.memory_left--;
	has(judge(h).memory, "promises 255 MiB more, but worker_memory allows 4 workers 256 MiB");
	h.memory_left = 0;
	has(judge(h).memory, "or fewer workers");
}
