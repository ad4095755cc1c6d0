/* SPDX-License-Identifier: MIT */
/*
 * reports_page.h - reports of the last deaths; a new report takes the place of the oldest. The
 * supervisor writes an entry, and a short-lived child of the supervisor (supervisor/resolver.c)
 * puts in the names of functions. The engine reads, and so do programs outside: the entries are a
 * part of the status page, struct brood_status_report.
 */
#ifndef BROOD_WIRE_REPORTS_PAGE_H
#define BROOD_WIRE_REPORTS_PAGE_H

#include "trace_page.h"

enum reports_state {
	REPORTS_DONE, /* nothing will be added */
	REPORTS_RAW   /* names are to be looked up */
};

struct reports_entry {
	/* Odd while the entry is written, and another number afterwards: a reader reads again. */
	_Atomic uint32_t version;
	_Atomic uint32_t state;  /* enum reports_state */
	_Atomic uint64_t number; /* how many reports there had been with this one; 0: none yet */
	uint64_t at_ns;
	uint32_t pool; /* its number */
	/* Copied from the worker's trace page: any index, size or text may be wrong. */
	uint32_t modules_count;
	uint16_t module[BROOD_REPORT_FRAMES];
	struct trace_module modules[TRACE_MODULES];
	struct brood_report report;
};

struct reports_page {
	_Atomic uint64_t count; /* how many reports there were ever */
	struct reports_entry entries[BROOD_REPORTS];
};

/*
 * Called before and after an entry is written. A writer that was killed may have left it half
 * written, with an odd number.
 */
static inline void reports_begin(struct reports_entry *entry)
{
	atomic_store(&entry->version, atomic_load(&entry->version) | 1);
#ifndef __SANITIZE_THREAD__ /* gcc warns that it does not know fences there */
	/* On ARM a field could be seen before the odd number. */
	atomic_thread_fence(memory_order_release);
#endif
}
static inline void reports_end(struct reports_entry *entry)
{
	atomic_store(&entry->version, (atomic_load(&entry->version) | 1) + 1);
}

/* The entry of the report with number n, counted from 0. */
static inline struct reports_entry *reports_entry(struct reports_page *page, uint64_t n)
{
	return &page->entries[n % BROOD_REPORTS];
}

#endif
