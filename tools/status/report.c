/* SPDX-License-Identifier: MIT */
/*
 * report.c - see report.h. All paths and names come from workers: src/os/symbols.h says what is
 * done against files that are made to break their reader.
 */
#include "report.h"

#include "../../src/pool/guilty.h"
#include "../../src/wire/report_names.h"

#include <string.h>

_Static_assert(sizeof(struct brood_report) ==
		sizeof(struct brood_status_report) - offsetof(struct brood_status_report, size),
	"the end of a record is a report");
_Static_assert(sizeof(struct trace_module) == sizeof(struct brood_status_module), "");

static void look_up(const struct status_page *page, struct brood_report *report,
	const uint16_t *module, const struct brood_status_module *modules, uint32_t count)
{
	report_names(report,
		&(struct report_names_from){ .module = module,
			.modules = (const void *)modules,
			.modules_count = count,
			.process = page->supervisor });
	guilty_trim(report);
}

/*
 * True: no resolver has put names there. Otherwise it has also left out some frames, and so
 * `module` is not of these frames any more.
 */
static bool lacks_names(const struct brood_status_report *r)
{
	for (uint32_t i = 0; i < r->frames_count; i++)
		if (r->frames[i].function[0] || r->frames[i].module[0])
			return false;
	return r->frames_count > 0;
}

static void take(
	const struct status_page *page, const struct brood_status_report *from, struct report *ret)
{
	ret->number = from->number;
	ret->at_ns = from->at_ns;
	ret->pool = from->pool;
	memcpy(&ret->report, &from->size, sizeof ret->report);
	ret->report.size = sizeof ret->report;
	if (lacks_names(from))
		look_up(page, &ret->report, from->module, from->modules, from->modules_count);
}

/*
 * Records are filled in turn. So behind the first empty record there is none that is not, and to
 * read on would only cost the brood memory.
 */
uint64_t report_newest(const struct status_page *page)
{
	static struct brood_status_report record;
	const uint32_t count = status_view_reports(&page->view);
	uint64_t newest = 0;

	for (uint32_t i = 0; i < count; i++) {
		status_view_report(&page->view, i, &record);
		if (record.number == 0)
			break;
		newest = record.number > newest ? record.number : newest;
	}
	return newest;
}

size_t report_read(const struct status_page *page, int pool, struct report *ret, size_t room)
{
	static struct brood_status_report record;
	const uint32_t count = status_view_reports(&page->view);
	const uint64_t newest = report_newest(page);
	size_t got = 0;

	for (uint64_t n = newest; n > 0 && newest - n < count && got < room; n--) {
		if (!status_view_report(&page->view, (uint32_t)((n - 1) % count), &record) ||
			record.number != n)
			continue;
		if (pool < 0 || (uint32_t)pool == record.pool)
			take(page, &record, &ret[got++]);
	}
	return got;
}

void report_of_stack(const struct status_page *page, const struct brood_status_stack *stack,
	struct brood_report *ret)
{
	*ret = (struct brood_report){ .size = sizeof *ret,
		.frames_count = stack->frames_count,
		.pid = stack->pid,
		.tid = stack->tid };
	for (uint32_t i = 0; i < stack->frames_count; i++) {
		ret->frames[i].address = stack->frames[i].pc;
		if (stack->module[i] != BROOD_STATUS_NOWHERE)
			ret->frames[i].offset = stack->frames[i].offset;
	}
	look_up(page, ret, stack->module, stack->modules, stack->modules_count);
}
