/* SPDX-License-Identifier: MIT */
/* html_report.h - --report: the page about one run, and its parts. */
#ifndef BROOD_LOAD_HTML_REPORT_H
#define BROOD_LOAD_HTML_REPORT_H

#include "findings.h"
#include "html.h"

/* Returns 0 or -errno. */
int html_report(const struct findings *f, const struct about *about, FILE *file);

/* html_time.c: the charts over time, with the marks */
void html_over_time(FILE *file, const struct findings *f);

/* html_pace.c: the plan of an open loop, conditions, and the percentiles */
void html_pace(FILE *file, const struct findings *f);
void html_latency(FILE *file, const struct findings *f, const struct histogram *all);
/* Rows of the conditions of --fail-if; file NULL: none. Returns how many failed. */
unsigned html_conditions(FILE *file, const struct findings *f);

/* html_tables.c: tables */
void html_verdicts(FILE *file, const struct findings *f);
void html_kinds(FILE *file, const struct findings *f);
void html_chaos(FILE *file, const struct findings *f);
void html_invariants(FILE *file, const struct findings *f);
void html_workers(FILE *file, const struct findings *f);
void html_machine(FILE *file, const struct about *about);
void html_settings(FILE *file, const struct findings *f, const struct about *about);

#endif
