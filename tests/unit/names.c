/* SPDX-License-Identifier: MIT */
/* names.c - words for numbers, and a verdict in one line. */
#include <brood.h>
#include <criterion/criterion.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(names, .timeout = 10);

static const char *format(const struct brood_verdict *v)
{
	static char line[512];
	int n = brood_verdict_format(v, line, sizeof line);

	cr_assert_eq(n, (int)strlen(line));
	cr_assert(!strchr(line, '\n'));
	return line;
}

Test(names, each_number_has_its_own)
{
	for (int i = BROOD_DONE; i < BROOD_OUTCOMES; i++) {
		cr_assert(strcmp(brood_outcome_name((enum brood_outcome)i), "?") != 0, "outcome %d",
			i);
		for (int j = BROOD_DONE; j < i; j++)
			cr_assert_str_neq(brood_outcome_name((enum brood_outcome)i),
				brood_outcome_name((enum brood_outcome)j));
	}
	for (int i = BROOD_DETAIL_NONE; i < BROOD_DETAILS; i++) {
		cr_assert(
			strcmp(brood_detail_name((enum brood_detail)i), "?") != 0, "detail %d", i);
		for (int j = BROOD_DETAIL_NONE; j < i; j++)
			cr_assert_str_neq(brood_detail_name((enum brood_detail)i),
				brood_detail_name((enum brood_detail)j));
	}
	for (int i = BROOD_EVENT_JOB_LOG; i <= BROOD_EVENT_KEY_POISONED; i++)
		cr_assert(strcmp(brood_event_name((enum brood_event)i), "?") != 0, "event %d", i);
}

Test(names, others_have_none)
{
	static const int strange[] = { -1, 0, BROOD_OUTCOMES, INT_MAX, INT_MIN };

	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
		cr_assert_str_eq(brood_outcome_name((enum brood_outcome)strange[i]), "?");
	cr_assert_str_eq(brood_detail_name((enum brood_detail)BROOD_DETAILS), "?");
	cr_assert_str_eq(brood_detail_name((enum brood_detail) - 1), "?");
	cr_assert_str_eq(brood_detail_name(BROOD_DETAIL_NONE), "");
	cr_assert_str_eq(brood_event_name((enum brood_event)0), "?");
	cr_assert_str_eq(brood_event_name((enum brood_event)9999), "?");
}

Test(names, crash)
{
	struct brood_verdict v = {
		.size = sizeof v,
		.id = 17,
		.outcome = BROOD_CRASHED,
		.signal = SIGSEGV,
		.core = 1,
		.started = 1,
		.pid = 4711,
		.slot = 3,
		.generation = 2,
		.attempts = 1,
		.queue_us = 12,
		.run_us = 1234,
		.name = "upper",
	};

	cr_assert_str_eq(format(&v),
		"job 17 upper: crashed, SIGSEGV, core dumped; worker 3 (pid 4711, generation 2); "
		"queued 12 us, ran 1.2 ms");
}

/* The tag is what somebody's client sent: it cannot end the line, or write elsewhere. */
Test(names, tag)
{
	static const char
		ctl[] = "\001\037\177\302\23331m",
		long_one[] = "123456789 123456789 123456789 123456789 123456789 123456789 1234";
	struct brood_verdict v = {
		.size = sizeof v, .id = 17, .outcome = BROOD_DONE, .started = 1, .name = "upper"
	};
	char line[256], plain[256];
	int n = brood_verdict_format(&v, plain, sizeof plain);

	cr_assert_eq(brood_verdict_format_tag(&v, NULL, line, sizeof line), n);
	cr_assert_str_eq(line, plain);
	cr_assert_eq(brood_verdict_format_tag(&v, "", line, sizeof line), n);
	cr_assert_str_eq(line, plain);
	n = brood_verdict_format_tag(&v, "GET /\303\200?x=%s", line, sizeof line);
	cr_assert_eq(n, (int)strlen(line));
	cr_assert_str_eq(line, "job 17 upper [GET /\303\200?x=%s]: done; queued 0 us");
	brood_verdict_format_tag(&v, ctl, line, sizeof line);
	cr_assert_str_eq(line, "job 17 upper [???\302?31m]: done; queued 0 us");
	brood_verdict_format_tag(&v, long_one, line, sizeof line);
	cr_assert(
		strstr(line, " [123456789 123456789 123456789 123456789 123456789 123456789 123]"));
	cr_assert_eq(brood_verdict_format_tag(NULL, "tag", line, sizeof line), 10);
}

Test(names, other_ends)
{
	struct brood_verdict v = { .size = sizeof v,
		.id = 1,
		.outcome = BROOD_FAILED,
		.code = -3,
		.started = 1,
		.pid = 9,
		.attempts = 3,
		.run_us = 2500000,
		.name = "f" };

	cr_assert_str_eq(format(&v),
		"job 1 f: failed, code -3; worker 0 (pid 9, generation 0), attempt 3; queued 0 us, "
		"ran 2.50 s");
	v = (struct brood_verdict){ .size = sizeof v,
		.id = 2,
		.outcome = BROOD_REFUSED,
		.detail = BROOD_DETAIL_QUEUE_FULL };
	cr_assert_str_eq(format(&v), "job 2: refused, queue full; queued 0 us");
	v = (struct brood_verdict){ .size = sizeof v,
		.id = 3,
		.outcome = BROOD_DONE,
		.started = 1,
		.pid = 5,
		.left = BROOD_LEFT_THREADS | BROOD_LEFT_UMASK,
		.name = "g" };
	cr_assert_str_eq(format(&v),
		"job 3 g: done; worker 0 (pid 5, generation 0); left threads, umask; queued 0 us, "
		"ran 0 us");
	v = (struct brood_verdict){ .size = sizeof v,
		.id = 4,
		.outcome = BROOD_CANCELLED,
		.detail = BROOD_DETAIL_STOPPED,
		.queue_us = 1500 };
	cr_assert_str_eq(format(&v), "job 4: cancelled, pool stopped, not started; queued 1.5 ms");
}

/* As snprintf() does: returns the whole length, and writes nothing behind the buffer's end. */
Test(names, small_buffers)
{
	struct brood_verdict v = { .size = sizeof v,
		.id = UINT64_MAX,
		.outcome = BROOD_EXITED,
		.code = INT_MIN,
		.started = 1,
		.pid = 1,
		.left = ~0u,
		.attempts = UINT32_MAX };
	char line[600], whole[600];
	int wanted;

	memset(v.name, 'x', sizeof v.name); /* without an end */
	wanted = brood_verdict_format(&v, whole, sizeof whole);
	cr_assert_eq(brood_verdict_format(&v, NULL, 0), wanted);
	for (size_t size = 1; size < sizeof line; size++) {
		memset(line, '#', sizeof line);
		cr_assert_eq(brood_verdict_format(&v, line, size), wanted);
		cr_assert_eq(strlen(line), size - 1 < (size_t)wanted ? size - 1 : (size_t)wanted);
		cr_assert_eq(strncmp(line, whole, strlen(line)), 0);
		if (size < sizeof line)
			cr_assert_eq(line[size], '#');
	}
	cr_assert_eq(brood_verdict_format(NULL, line, sizeof line), (int)strlen(line));
}

Test(names, version)
{
	char text[32];

	snprintf(text, sizeof text, "%d.%d.%d", BROOD_VERSION_MAJOR, BROOD_VERSION_MINOR,
		BROOD_VERSION_PATCH);
	cr_assert_str_eq(brood_version(), text);
}

Test(names, error_is_never_null) { cr_assert(brood_error()); }

/* ---- told to end ---- */

Test(names, told_to_end)
{
	static const struct {
		enum brood_outcome outcome;
		uint32_t flags;
		const char *how;
	} list[] = {
		{ BROOD_DONE, 0, "done" },
		{ BROOD_DONE, BROOD_NOTICED, "done" },
		{ BROOD_DONE, BROOD_TOLD_DEADLINE | BROOD_NOTICED,
			"done, told to end by its deadline and noticed" },
		{ BROOD_FAILED, BROOD_TOLD_CANCEL, "failed, code 0, told to end by a cancel" },
		{ BROOD_DONE, BROOD_TOLD_STOP | BROOD_NOTICED,
			"done, told to end by the stop and noticed" },
		{ BROOD_TIMED_OUT, BROOD_TOLD_DEADLINE, "timed out" },
		{ BROOD_CANCELLED, BROOD_TOLD_CANCEL | BROOD_NOTICED, "cancelled, had noticed" },
	};

	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct brood_verdict v = { .size = sizeof v,
			.id = 1,
			.outcome = list[i].outcome,
			.flags = list[i].flags,
			.started = 1,
			.attempts = 1 };
		char want[200];

		snprintf(want, sizeof want, "job 1: %s; queued 0 us", list[i].how);
		cr_assert_str_eq(format(&v), want);
	}
}
