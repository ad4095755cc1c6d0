/* SPDX-License-Identifier: MIT */
/* chaos_spec.c - the language of --chaos: what each text means, and what each error says. */
#include "../../tools/load/chaos_spec.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(unit_chaos_spec, .timeout = 20);

#define MS 1000000ull
#define S  1000000000ull

static struct chaos_spec spec_of(const char *text)
{
	char wrong[CHAOS_WRONG_SIZE] = "";
	struct chaos_spec spec = { 0 };

	cr_assert_eq(chaos_spec_parse(text, &spec, wrong), 0, "%s: %s", text, wrong);
	return spec;
}

static void expect(const char *text, struct chaos_act a)
{
	struct chaos_spec spec = spec_of(text);
	const struct chaos_act *b = &spec.act[0];

	cr_assert_eq(spec.count, 1, "%s", text);
	cr_assert_eq(a.kind, b->kind, "%s", text);
	cr_assert_eq(a.min, b->min, "%s", text);
	cr_assert_eq(a.max, b->max, "%s", text);
	cr_assert_eq(a.at_end, b->at_end, "%s", text);
	cr_assert_eq(a.scattered, b->scattered, "%s", text);
	cr_assert_eq(a.at_ns, b->at_ns, "%s", text);
	cr_assert_eq(a.every_ns, b->every_ns, "%s", text);
	cr_assert_eq(a.for_ns, b->for_ns, "%s", text);
}

Test(unit_chaos_spec, each_form)
{
	uint64_t never = CHAOS_NEVER;

	expect("kill 50/s", (struct chaos_act){ CHAOS_KILL, 0, 0, false, true, never, 20 * MS, 0 });
	expect("kill at 5s", (struct chaos_act){ CHAOS_KILL, 0, 0, false, false, 5 * S, 0, 0 });
	expect("kill at end", (struct chaos_act){ CHAOS_KILL, 0, 0, true, false, never, 0, 0 });
	expect("kill-all every 1.5s",
		(struct chaos_act){ CHAOS_KILL_ALL, 0, 0, false, false, never, 1500 * MS, 0 });
	expect("stop 1/s for 200ms",
		(struct chaos_act){ CHAOS_STOP, 0, 0, false, true, never, S, 200 * MS });
	expect("stop at 1s at 2s",
		(struct chaos_act){ CHAOS_STOP, 0, 0, false, false, 2 * S, 0, 100 * MS });
	expect("fd-pressure at 5s for 2s",
		(struct chaos_act){ CHAOS_FD_PRESSURE, 0, 0, false, false, 5 * S, 0, 2 * S });
	expect("memory-pressure",
		(struct chaos_act){
			CHAOS_MEMORY_PRESSURE, 0, 0, false, false, never, 2 * S, 500 * MS });
	expect("disk-full",
		(struct chaos_act){ CHAOS_DISK_FULL, 0, 0, false, false, never, 2 * S, 500 * MS });
	expect("engine-stall 300ms every 2s",
		(struct chaos_act){
			CHAOS_ENGINE_STALL, 0, 0, false, false, never, 2 * S, 300 * MS });
	expect("engine-stall at 1s for 1500us",
		(struct chaos_act){ CHAOS_ENGINE_STALL, 0, 0, false, false, S, 0, 1500000 });
	expect("reload every 1min",
		(struct chaos_act){ CHAOS_RELOAD, 0, 0, false, false, never, 60 * S, 0 });
	expect("resize 4..64 every 3s at 0s",
		(struct chaos_act){ CHAOS_RESIZE, 4, 64, false, false, 0, 3 * S, 0 });
	expect("supervisor-kill at end",
		(struct chaos_act){ CHAOS_SUPERVISOR_KILL, 0, 0, true, false, never, 0, 0 });
	expect(" ;; supervisor-kill ; ",
		(struct chaos_act){ CHAOS_SUPERVISOR_KILL, 0, 0, true, false, never, 0, 0 });
}

Test(unit_chaos_spec, a_list)
{
	struct chaos_spec spec = spec_of(
		"kill 50/s; stop 1/s for 200ms;fd-pressure at 5s for 2s; "
		"memory-pressure; disk-full; engine-stall 300ms every 2s;\n"
		"reload every 1s; resize 4..64 every 3s; supervisor-kill at "
		"end");
	char wrong[CHAOS_WRONG_SIZE];

	cr_assert_eq(spec.count, 9);
	cr_assert_eq(spec.act[8].kind, CHAOS_SUPERVISOR_KILL);
	cr_assert(chaos_spec_has(&spec, CHAOS_RELOAD));
	cr_assert_not(chaos_spec_has(&spec, CHAOS_KILL_ALL));
	cr_assert_eq(chaos_spec_workers(&spec), 64);
	cr_assert_eq(chaos_spec_parse("kill-all at 1s", &spec, wrong), 0);
	cr_assert_eq(spec.count, 10, "a second text adds to the first");
	cr_assert_not_null(strstr(spec.text, "supervisor-kill at end; kill-all at 1s"));
	cr_assert_null(chaos_spec_late(&spec, 5 * S));
	cr_assert_eq(chaos_spec_late(&spec, 4 * S)->kind, CHAOS_FD_PRESSURE);
	for (uint32_t i = 0; i < CHAOS_KINDS; i++)
		cr_assert_gt(strlen(chaos_name(i)), 3);
	cr_assert_str_eq(chaos_name(CHAOS_KINDS), "?");
}

/* Each error names what was given, and says what would be right. */
Test(unit_chaos_spec, errors_say_what_would_be_right)
{
	static const struct {
		const char *text, *word;
	} wrongs[] = {
		{ "", "give acts, as in 'kill 50/s; reload every 1s'" },
		{ " ; ", "give acts" },
		{ "killl 5/s", "\"killl\": give one of kill, kill-all, stop" },
		{ "kill", "as in 'kill 50/s'" },
		{ "kill 5", "kill takes N/s, at T, every T, at end, not \"5\"" },
		{ "kill 0/s", "give 0.001/s to 10000/s" },
		{ "kill 1e9/s", "\"1e9/s\" is no rate" },
		{ "kill 99999/s", "give 0.001/s to 10000/s" },
		{ "kill 5/s every 1s", "say once how often" },
		{ "kill every 1s 5/s", "either 5/s or every T" },
		{ "kill 5/s for 1s", "not \"for\"" },
		{ "kill 5/s at end", "at end is once" },
		{ "kill at", "\"at\" wants a time behind it" },
		{ "kill at 5", "\"at 5\" is no time: give a number and us, ms, s or min" },
		{ "kill at 5h", "is no time" },
		{ "kill at -5s", "is no time" },
		{ "kill at 99999999s", "is no time" },
		{ "kill every 1us", "too short: give 1ms at least" },
		{ "stop 1/s for 0s", "too short" },
		{ "stop 10000/s for 1s", "more than 1024 workers" },
		{ "stop 1/s at end", "cannot be \"at end\"" },
		{ "fd-pressure every 1s for 1s", "\"every\" must be longer than \"for\"" },
		{ "engine-stall 10us", "too short" },
		{ "engine-stall soon", "not \"soon\": as in 'engine-stall 300ms every 2s'" },
		{ "reload at end", "cannot be \"at end\"" },
		{ "reload for 1s", "reload takes at T, every T, not \"for\"" },
		{ "resize", "as in 'resize 4..64 every 3s'" },
		{ "resize 4", "not \"4\"" },
		{ "resize 0..4", "give the least and the most workers" },
		{ "resize 5..4", "give the least and the most workers" },
		{ "resize 4..5x", "give the least and the most workers" },
		{ "resize 4...5", "give the least and the most workers" },
		{ "supervisor-kill every 1s", "takes at T, at end, not \"every\"" },
		{ "kill 5/s; what", "\"what\"" },
	};

	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		char wrong[CHAOS_WRONG_SIZE] = "";
		struct chaos_spec spec = { 0 };

		cr_assert_eq(chaos_spec_parse(wrongs[i].text, &spec, wrong), -EINVAL, "%s",
			wrongs[i].text);
		cr_assert_not_null(strstr(wrong, wrongs[i].word), "%s: %s", wrongs[i].text, wrong);
	}
}

/* strtod() would read them. */
Test(unit_chaos_spec, hexadecimal_is_no_number)
{
	char wrong[CHAOS_WRONG_SIZE] = "";
	struct chaos_spec spec = { 0 };

	cr_assert_eq(chaos_spec_parse("kill 0x10/s", &spec, wrong), -EINVAL);
	cr_assert_not_null(strstr(wrong, "kill takes N/s"), "%s", wrong);
	cr_assert_eq(chaos_spec_parse("kill at 0X1s", &spec, wrong), -EINVAL);
	cr_assert_not_null(strstr(wrong, "is no time"), "%s", wrong);
}

Test(unit_chaos_spec, too_many)
{
	char text[CHAOS_ACTS_MAX * 12 + 20] = "", wrong[CHAOS_WRONG_SIZE];
	struct chaos_spec spec = { 0 };

	for (unsigned i = 0; i < CHAOS_ACTS_MAX; i++)
		strcat(text, "kill 1/s;");
	cr_assert_eq(chaos_spec_parse(text, &spec, wrong), 0);
	cr_assert_eq(chaos_spec_parse("kill 1/s", &spec, wrong), -EINVAL);
	cr_assert_not_null(strstr(wrong, "more than 96 acts"));
}

/* No text crashes it, and what it takes has sane values. */
Test(unit_chaos_spec, any_text)
{
	static const char *const words[] = { "kill", "stop", "resize", "engine-stall",
		"fd-pressure", "reload", "5/s", "4..64", "300ms", "at", "every", "for", "end", ";",
		"1s", ".", "..", "9999999999999999999999999999999999999/s", "supervisor-kill" };
	struct unit_random random = { 7 };

	for (unsigned round = 0; round < 20000; round++) {
		char text[200] = "", wrong[CHAOS_WRONG_SIZE];
		struct chaos_spec spec = { 0 };

		for (uint64_t n = unit_below(&random, 8); n; n--) {
			strcat(text, words[unit_below(&random, sizeof words / sizeof words[0])]);
			strcat(text, " ");
			cr_assert_lt(strlen(text), sizeof text - 50);
			if (strlen(text) > sizeof text - 100)
				break;
		}
		if (chaos_spec_parse(text, &spec, wrong) < 0)
			continue;
		for (unsigned i = 0; i < spec.count; i++) {
			const struct chaos_act *a = &spec.act[i];

			cr_assert(a->at_end || a->every_ns || a->at_ns != CHAOS_NEVER, "%s", text);
			cr_assert(a->kind != CHAOS_RESIZE || (a->min && a->min <= a->max));
		}
	}
}
