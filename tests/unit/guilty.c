/* SPDX-License-Identifier: MIT */
/* guilty.c - which frames of a death report stay, and the report as a line. */
#include "pool/guilty.h"
#include "unit.h"
#include "wire/report_text.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

TestSuite(unit_guilty, .timeout = 60);

/* "libc.so.6:abort prog:guilty": the frames, innermost first. */
static struct brood_report report_of(const char *frames)
{
	struct brood_report r = { .size = sizeof r, .syscall = -1 };
	char copy[1024], *save = NULL;

	snprintf(copy, sizeof copy, "%s", frames);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct brood_report_frame *f = &r.frames[r.frames_count++];
		char *colon = strchr(word, ':');

		*colon = '\0';
		snprintf(f->module, sizeof f->module, "%s", word);
		snprintf(f->function, sizeof f->function, "%s", colon + 1);
	}
	return r;
}

static void becomes(const char *frames, const char *expected)
{
	struct brood_report r = report_of(frames), e = report_of(expected);

	guilty_trim(&r);
	cr_assert_eq(r.frames_count, e.frames_count, "%s: %u frames", frames, r.frames_count);
	for (uint32_t i = 0; i < e.frames_count; i++)
		cr_assert_str_eq(r.frames[i].function, e.frames[i].function, "%s", frames);
}

Test(unit_guilty, frames)
{
	becomes("prog:guilty prog:job", "prog:guilty prog:job");
	becomes("", "");
	becomes("libc.so.6:pthread_kill libc.so.6:raise libc.so.6:abort prog:guilty prog:job",
		"libc.so.6:abort prog:guilty prog:job");
	becomes("libc.so.6:read prog:guilty", "libc.so.6:read prog:guilty");
	/* a static program */
	becomes("prog:pthread_kill prog:raise prog:abort prog:__assert_fail prog:guilty",
		"prog:__assert_fail prog:guilty");
	becomes("prog:_ZSt9terminatev prog:__cxa_throw prog:_Z6guiltyv",
		"prog:__cxa_throw prog:_Z6guiltyv");
	/* names of the program's own stay, whatever they begin with */
	becomes("prog:__guilty prog:__job", "prog:__guilty prog:__job");
	/* nothing but the C library: all of it may matter */
	becomes("libc.so.6:a libc.so.6:b", "libc.so.6:a libc.so.6:b");
	becomes("prog:guilty prog:job prog:run_inner prog:run_framed prog:run_job",
		"prog:guilty prog:job");
	becomes("prog:guilty prog:job prog:call_job prog:run_inner prog:run_framed prog:run_job",
		"prog:guilty prog:job");
	becomes("prog:guilty prog:job libbrood.so.0: libbrood.so.0:", "prog:guilty prog:job");
	becomes("libbrood.so.0:loop libbrood.so.0:worker_main",
		"libbrood.so.0:loop libbrood.so.0:worker_main");
}

static void is_line(const struct brood_report *r, const char *expected)
{
	char text[512];

	cr_assert_eq(report_text(r, text, sizeof text), (int)strlen(expected), "%s", text);
	cr_assert_str_eq(text, expected);
	for (size_t size = 1; size < 100; size++) {
		memset(text, 'x', sizeof text);
		cr_assert_eq(report_text(r, text, size), (int)strlen(expected));
		cr_assert_eq(text[size], 'x');
		cr_assert_lt(strlen(text), size);
	}
}

Test(unit_guilty, lines)
{
	struct brood_report r = report_of("prog:guilty lib.so: lib.so:b");

	r.id = 7;
	r.cause = BROOD_REPORT_CRASHED;
	r.signal = SIGSEGV;
	r.code = SEGV_ACCERR;
	r.address = 0x123;
	r.slot = 3;
	r.pid = 4711;
	r.frames[0].function_offset = 4;
	r.frames[1].offset = 0xabc;
	strcpy(r.name, "upper");
	strcpy(r.tag, "a\nb");
	strcpy(r.progress, "half\t");
	is_line(&r,
		"job 7 upper [a?b], worker 3 (pid 4711): crashed, SIGSEGV (not allowed) at 0x123; "
		"in "
		"guilty+0x4 (prog) < 0xabc (lib.so) < b+0x0 (lib.so); progress: half?");
	r = (struct brood_report){ .syscall = -1, .cause = BROOD_REPORT_TIMED_OUT, .slot = 1 };
	strcpy(r.waits, "mutex");
	is_line(&r, "worker 1 (pid 0): timed out; waits: mutex");
	r.cause = 99;
	r.waits[0] = '\0';
	is_line(&r, "worker 1 (pid 0): ended");
	r.cause = BROOD_REPORT_EXITED;
	r.exit_code = 3;
	is_line(&r, "worker 1 (pid 0): exited with 3");
}
