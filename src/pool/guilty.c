/* SPDX-License-Identifier: MIT */
/*
 * guilty.c - see guilty.h. A shared library is known by its file. In a static program the names of
 * its functions tell; a name that a program might use, too, is not in the list.
 */
#include "guilty.h"

#include "../base/base.h"

#define OWN_FILE "libbrood.so"

static const char *const modules[] = { "libc.so", "libc-", "libpthread", "libstdc++", "libc++",
	"libgcc_s", "ld-linux", "libasan", "libtsan", "libubsan", "linux-vdso" };

static const char *const functions[] = { "__pthread_", "__GI_", "__libc_", "__assert_",
	"__fortify_", "__chk_fail", "__stack_chk", "__lll_", "__futex_", "__cxa_", "__gxx_",
	"__restore_rt", "__syscall_cancel", "__new_sem", "__memcpy", "__memmove", "__memset",
	"__str", "_int_malloc", "_int_free", "_Unwind_", "_ZSt", "_ZN9__gnu_cxx", "_ZN10__cxxabiv1",
	"std::", "__gnu_cxx::", "__cxxabiv1::", "malloc_printerr", "pthread_kill", "futex_wait",
	"futex_abstimed", "lll_mutex" };

static const char *const own[] = { "run_framed", "run_job", "run_hook", "hooks_" };

static const char *const exact[] = { "abort", "raise", "gsignal", "__assert" };

static bool begins(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(text, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

static bool is_run_time(const struct brood_report_frame *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
		if (strcmp(f->function, exact[i]) == 0)
			return true;
	return begins(f->module, modules, ARRAY_SIZE(modules)) ||
		begins(f->function, functions, ARRAY_SIZE(functions));
}

/*
 * Returns how many frames are left without Brood's own outermost ones: run_inner() of worker/run.c,
 * which calls each job and hook, and its callers. A build without optimization also has call_job()
 * between run_inner() and the job.
 */
static uint32_t without_own(const struct brood_report *r, uint32_t count)
{
	uint32_t n = count;

	for (uint32_t i = 1; i + 1 < count; i++)
		if (strcmp(r->frames[i].function, "run_inner") == 0 &&
			begins(r->frames[i + 1].function, own, ARRAY_SIZE(own)))
			return i - (i > 1 && strcmp(r->frames[i - 1].function, "call_job") == 0);
	while (n > 0 && strncmp(r->frames[n - 1].module, OWN_FILE, sizeof OWN_FILE - 1) == 0)
		n--;
	return n > 0 ? n : count;
}

void guilty_trim(struct brood_report *report)
{
	uint32_t count = MIN(report->frames_count, (uint32_t)BROOD_REPORT_FRAMES), n = 0;

	count = without_own(report, count);
	report->frames_count = count;
	while (n < count && is_run_time(&report->frames[n]))
		n++;
	if (n < 2 || n == count)
		return;
	count -= n - 1;
	memmove(report->frames, report->frames + n - 1, count * sizeof report->frames[0]);
	report->frames_count = count;
}
