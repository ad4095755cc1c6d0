/* SPDX-License-Identifier: MIT */
/* report_text.h - a death report as one line. */
#ifndef BROOD_WIRE_REPORT_TEXT_H
#define BROOD_WIRE_REPORT_TEXT_H

#include <brood.h>

/* Returns the length of the whole line, as snprintf() does. */
int report_text(const struct brood_report *report, char *text, size_t size);

#endif
