/* SPDX-License-Identifier: MIT */
/*
 * report.h - the death reports that a status page has, as struct brood_report. Names that the
 * brood's own resolver has not looked up are looked up here, in the files of the brood's processes.
 */
#ifndef STATUS_REPORT_H
#define STATUS_REPORT_H

#include "page.h"

#include <brood.h>

struct report {
	uint64_t number; /* counts all reports of the brood, from 1 */
	uint64_t at_ns;
	uint32_t pool; /* its number */
	struct brood_report report;
};
/*
 * Reads the newest reports, the newest first; pool: of that one, -1: of all. Returns how many, at
 * most `room`.
 */
size_t report_read(const struct status_page *page, int pool, struct report *ret, size_t room);
/* The number of the newest report; 0: there is none. */
uint64_t report_newest(const struct status_page *page);
/*
 * The frames of a worker's answer (struct brood_status_stack), with names, in a report that says
 * nothing else.
 */
void report_of_stack(const struct status_page *page, const struct brood_status_stack *stack,
	struct brood_report *ret);

#endif
