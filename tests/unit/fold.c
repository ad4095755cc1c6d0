/* SPDX-License-Identifier: MIT */
/*
 * fold.c - equal log lines beyond a rate become one with a count, and none is lost without being
 * counted.
 */
#include "pool/fold.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(unit_fold, .timeout = 60);

#define AT     (1000 * NS_PER_S)
#define WINDOW (10 * NS_PER_S)

static struct message_log line_of(const char *text)
{
	struct message_log line = {
		.level = BROOD_WARNING, .event = BROOD_EVENT_UNDEAD, .pid = 12, .slot = 3, .job = 9
	};

	snprintf(line.text, sizeof line.text, "%s", text);
	return line;
}

static int pass(
	struct fold *f, uint64_t now, const char *text, struct message_log *summary, bool *has)
{
	struct message_log line = line_of(text);

	return fold_line(f, now, &line, summary, has);
}

Test(unit_fold, one_line_of_a_crash_loop_passes)
{
	static const struct {
		uint32_t event;
		int passes;
	} events[] = { { BROOD_EVENT_WORKER_DIED, 1 }, { BROOD_EVENT_SPAWN_FAILED, 1 },
		{ BROOD_EVENT_WORKER_LEFT, 1 }, { BROOD_EVENT_REPORT, 5 },
		{ BROOD_EVENT_RELOAD_DONE, 5 }, { BROOD_EVENT_UNDEAD, 5 } };
	struct message_log s, line = line_of("crashed; in upper");
	struct fold f;
	bool has;

	fold_init(&f, 5, WINDOW);
	for (size_t e = 0; e < ARRAY_SIZE(events); e++) {
		int passed = 0;

		line.event = events[e].event;
		for (int i = 0; i < 20; i++)
			passed += fold_line(&f, AT, &line, &s, &has);
		cr_assert_eq(passed, events[e].passes, "event %u: %d", line.event, passed);
	}
}

Test(unit_fold, beyond_the_burst_they_are_counted)
{
	struct message_log s = { 0 };
	struct fold f;
	bool has = true;

	fold_init(&f, 5, WINDOW);
	cr_assert_eq(fold_next(&f), TIME_NEVER);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(pass(&f, AT + (uint64_t)i, "worker 1 died", &s, &has), 1);
	cr_assert_eq(fold_next(&f), TIME_NEVER, "nothing held: nobody need wake up");
	for (int i = 0; i < 37; i++) {
		cr_assert_eq(pass(&f, AT + NS_PER_S, "worker 22 died", &s, &has), 0);
		cr_assert_not(has);
	}
	cr_assert_eq(fold_next(&f), AT + WINDOW);
	cr_assert_not(fold_due(&f, AT + WINDOW - 1, &s));
	cr_assert(fold_due(&f, AT + WINDOW, &s));
	cr_assert_str_eq(s.text, "(37 more like this in 10 s) worker 22 died");
	cr_assert_eq(s.event, BROOD_EVENT_REPEATED);
	cr_assert_eq(s.level, BROOD_WARNING);
	cr_assert(s.pid == 12 && s.slot == 3 && s.job == 9, "it is about the last of them");
	cr_assert_not(fold_due(&f, AT + WINDOW, &s));
	cr_assert_eq(fold_next(&f), TIME_NEVER);
	cr_assert_eq(pass(&f, AT + WINDOW, "worker 1 died", &s, &has), 1, "a new window");
}

Test(unit_fold, what_makes_lines_equal)
{
	struct message_log s, a = line_of("job 17 of worker 3"), b = line_of("job 4 of worker 444");
	struct message_log c = line_of("job 17 of worker x"), d = a, e = a, p = a;
	struct fold f;
	bool has;

	d.level = BROOD_ERR;
	e.event = BROOD_EVENT_RESOURCE;
	p.pool = 2;
	fold_init(&f, 1, WINDOW);
	cr_assert_eq(fold_line(&f, AT, &a, &s, &has), 1);
	cr_assert_eq(fold_line(&f, AT, &b, &s, &has), 0, "digits do not count");
	cr_assert_eq(fold_line(&f, AT, &c, &s, &has), 1, "text does");
	cr_assert_eq(fold_line(&f, AT, &d, &s, &has), 1, "level does");
	cr_assert_eq(fold_line(&f, AT, &e, &s, &has), 1, "event does");
	cr_assert_eq(fold_line(&f, AT, &p, &s, &has), 1, "pool does");
}

Test(unit_fold, tags_do_not_count)
{
	struct message_log s, a = line_of("ended in upper [GET /a], job 1"),
			      b = line_of("ended in upper [a [b] ]c], job 2"),
			      c = line_of("ended in lower [GET /a], job 3"),
			      d = line_of("ended in upper [GET /a], worker 3"), e = line_of("a [b"),
			      g = line_of("a [c");
	struct fold f;
	bool has;

	fold_init(&f, 1, WINDOW);
	cr_assert_eq(fold_line(&f, AT, &a, &s, &has), 1);
	cr_assert_eq(fold_line(&f, AT, &b, &s, &has), 0);
	cr_assert_eq(fold_line(&f, AT, &c, &s, &has), 1, "what stands before them does");
	cr_assert_eq(fold_line(&f, AT, &d, &s, &has), 1, "what stands behind them does");
	cr_assert_eq(fold_line(&f, AT, &e, &s, &has), 1);
	cr_assert_eq(fold_line(&f, AT, &g, &s, &has), 1, "this is no tag");
}

Test(unit_fold, every_digit_and_only_digits)
{
	struct message_log s;
	struct fold f;
	bool has;

	fold_init(&f, 1, WINDOW);
	cr_assert_eq(pass(&f, AT, "a0123456789b", &s, &has), 1);
	cr_assert_eq(pass(&f, AT, "9a80b", &s, &has), 0);
	cr_assert_eq(pass(&f, AT, "a/b", &s, &has), 1);
	cr_assert_eq(pass(&f, AT, "a:b", &s, &has), 1);
	cr_assert_eq(pass(&f, AT, "ab", &s, &has), 0);
}

Test(unit_fold, the_next_of_several)
{
	struct message_log s = { 0 };
	struct fold f;
	bool has;

	fold_init(&f, 1, NS_PER_S);
	pass(&f, AT, "quiet", &s, &has);
	pass(&f, AT + 20, "b", &s, &has);
	pass(&f, AT + 30, "c", &s, &has);
	pass(&f, AT + 40, "c", &s, &has);
	cr_assert_eq(fold_next(&f), AT + 30 + NS_PER_S);
	pass(&f, AT + 50, "b", &s, &has);
	cr_assert_eq(fold_next(&f), AT + 20 + NS_PER_S);
	cr_assert(fold_due(&f, AT + 20 + NS_PER_S, &s));
	cr_assert_str_eq(s.text, "(1 more like this in 1 s) b");
	cr_assert_not(fold_due(&f, AT + 20 + NS_PER_S, &s));
	cr_assert(fold_due(&f, AT + 30 + NS_PER_S, &s));
	cr_assert_str_eq(s.text, "(1 more like this in 1 s) c");
}

Test(unit_fold, a_window_that_nobody_asked_about_in_time)
{
	struct message_log s = { 0 };
	struct fold f;
	bool has;

	fold_init(&f, 1, WINDOW);
	pass(&f, AT, "same", &s, &has);
	pass(&f, AT, "same", &s, &has);
	cr_assert_eq(pass(&f, AT + 3 * WINDOW, "same", &s, &has), 1);
	cr_assert(has);
	cr_assert_str_eq(s.text, "(1 more like this in 10 s) same");
	cr_assert_not(fold_due(&f, TIME_NEVER, &s));
}

static void letters(char *text, unsigned n) /* digits would be equal */
{
	text[0] = (char)('a' + n / 26 % 26);
	text[1] = (char)('a' + n % 26);
	text[2] = '\0';
}

Test(unit_fold, a_full_table_ends_the_oldest_window_early)
{
	struct message_log s = { 0 };
	char text[3];
	struct fold f;
	bool has;

	fold_init(&f, 1, WINDOW);
	for (unsigned i = 0; i < FOLD_KEYS; i++) {
		letters(text, i);
		cr_assert_eq(pass(&f, AT + i, text, &s, &has), 1);
		cr_assert_eq(pass(&f, AT + i, text, &s, &has), 0);
		cr_assert_not(has);
	}
	letters(text, FOLD_KEYS);
	cr_assert_eq(pass(&f, AT + 250 * NS_PER_MS, text, &s, &has), 1);
	cr_assert(has);
	cr_assert_str_eq(s.text, "(1 more like this in 250 ms) aa");
}

Test(unit_fold, a_silent_window_goes_first)
{
	struct message_log s = { 0 };
	char text[3];
	struct fold f;
	bool has;

	fold_init(&f, 1, WINDOW);
	for (unsigned i = 0; i < FOLD_KEYS; i++) {
		letters(text, i);
		pass(&f, AT + i, text, &s, &has);
		if (i != 7)
			pass(&f, AT + i, text, &s, &has);
	}
	letters(text, FOLD_KEYS);
	cr_assert_eq(pass(&f, AT + WINDOW + 10, text, &s, &has), 1);
	cr_assert_not(has, "the one that is over and held nothing made room");
}

Test(unit_fold, texts_without_an_end_and_full_ones)
{
	struct message_log s = { 0 }, line = { .level = BROOD_INFO, .event = BROOD_EVENT_JOB_LOG };
	struct fold f;
	bool has;

	memset(line.text, 'x', sizeof line.text);
	fold_init(&f, 0, WINDOW);
	cr_assert_eq(fold_line(&f, AT, &line, &s, &has), 0);
	cr_assert(fold_due(&f, AT + WINDOW, &s));
	cr_assert_eq(strnlen(s.text, sizeof s.text), sizeof s.text - 1, "cut, with its end");
	cr_assert_eq(strncmp(s.text, "(1 more like this in 10 s) xxx", 30), 0);
}

Test(unit_fold, times_at_the_end_of_time)
{
	struct message_log s = { 0 };
	struct fold f;
	bool has;

	fold_init(&f, 0, WINDOW);
	pass(&f, TIME_NEVER - 5, "late", &s, &has);
	cr_assert_eq(fold_next(&f), TIME_NEVER);
	cr_assert_not(fold_due(&f, TIME_NEVER - 1, &s));
	cr_assert(fold_due(&f, TIME_NEVER, &s), "never, as `now`, ends them all");
	fold_init(&f, 0, TIME_NEVER);
	pass(&f, AT, "held for ever", &s, &has);
	cr_assert_not(fold_due(&f, TIME_NEVER - 1, &s));
	cr_assert(fold_due(&f, TIME_NEVER, &s));
}

/* Any lines in any order: passed + counted = given. */
static uint64_t counted(const struct message_log *s)
{
	cr_assert_eq(s->event, BROOD_EVENT_REPEATED);
	return strtoull(s->text + 1, NULL, 10);
}

static void run_model(uint64_t seed)
{
	struct unit_random r = { seed };
	uint64_t now = AT, given = 0, told = 0;
	struct message_log s;
	struct fold f;
	bool has;

	fold_init(&f, (uint32_t)unit_below(&r, 4), WINDOW);
	for (int step = 0; step < 5000; step++) {
		char text[3];

		letters(text, (unsigned)unit_below(&r, 60));
		now += unit_below(&r, NS_PER_S);
		given++;
		told += (uint64_t)pass(&f, now, text, &s, &has);
		if (has)
			told += counted(&s);
		if (unit_below(&r, 3) == 0 && fold_next(&f) <= now)
			while (fold_due(&f, now, &s))
				told += counted(&s);
	}
	while (fold_due(&f, TIME_NEVER, &s))
		told += counted(&s);
	cr_assert_eq(told, given);
	cr_assert_eq(fold_next(&f), TIME_NEVER);
}

Test(unit_fold, no_line_is_lost_uncounted)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++)
		run_model(seed * 0x9e3779b97f4a7c15ull);
}
