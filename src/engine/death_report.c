/* SPDX-License-Identifier: MIT */
/*
 * death_report.c - brood_report(). The supervisor writes the reports, and a child of the supervisor
 * adds the names of functions, so an entry may change while it is read. The entry's version tells
 * whether it did.
 */
#include "engine_root.h"

#include <time.h>

#define NAMES_NS   (4 * NS_PER_S)
#define READ_AGAIN 1000

/* Makes sure that the report is read before its version is read a second time. */
static void load_fence(void)
{
#ifndef __SANITIZE_THREAD__ /* gcc warns: its thread sanitizer does not know fences */
	atomic_thread_fence(memory_order_acquire);
#endif
}

/* False: the entry changed during each of READ_AGAIN tries. */
static bool read_entry(struct reports_entry *entry, struct brood_report *ret, uint32_t *ret_state)
{
	for (int i = 0; i < READ_AGAIN; i++) {
		uint32_t version = atomic_load(&entry->version);

		*ret_state = atomic_load(&entry->state);
		memcpy(ret, &entry->report, sizeof *ret);
		load_fence();
		if (version % 2 == 0 && atomic_load(&entry->version) == version)
			return true;
		sched_yield();
	}
	return false;
}

/* Looks at the newest report first. id 0: the report of any job. */
static bool find(const struct brood *b, uint64_t id, struct brood_report *ret, uint32_t *ret_state)
{
	struct reports_page *page = b->shared.reports_page;
	uint64_t count = atomic_load(&page->count);

	for (uint64_t n = count; n > 0 && count - n < BROOD_REPORTS; n--)
		if (read_entry(reports_entry(page, n - 1), ret, ret_state) &&
			(id == 0 || ret->id == id))
			return true;
	return false;
}

/* Ends each text of the report with a NUL, whatever stands in the shared page. */
static void end_texts(struct brood_report *r)
{
	r->frames_count = MIN(r->frames_count, (uint32_t)BROOD_REPORT_FRAMES);
	for (uint32_t i = 0; i < r->frames_count; i++) {
		r->frames[i].function[BROOD_REPORT_SYMBOL - 1] = '\0';
		r->frames[i].module[BROOD_NAME_MAX - 1] = '\0';
	}
	r->stderr_text[BROOD_REPORT_STDERR - 1] = '\0';
}

int engine_report(struct brood *b, uint64_t id, struct brood_report *ret)
{
	VISIT(b);
	const struct timespec ms = { .tv_nsec = (long)NS_PER_MS };
	const uint64_t until = now_ns() + NAMES_NS;
	struct brood_report report;
	uint32_t state;
	size_t size;

	if (!ret)
		return fail_with(-EINVAL, "brood_report: ret_report is NULL");
	if (ret->size < offsetof(struct brood_report, frames))
		return fail_with(-EINVAL,
			"brood_report: set ret_report->size to sizeof(struct brood_report)");
	for (;;) {
		if (!find(b, id, &report, &state))
			return fail_with(-ENOENT, "brood_report: there is no report of job %llu",
				(unsigned long long)id);
		if (state == REPORTS_DONE || now_ns() >= until)
			break;
		nanosleep(&ms, NULL);
	}
	end_texts(&report);
	size = MIN(ret->size, sizeof report);
	report.size = size;
	memcpy(ret, &report, size);
	if (size > offsetof(struct brood_report, stderr_text))
		((char *)ret)[size - 1] = '\0'; /* a shorter struct cuts the last text */
	return 0;
}
