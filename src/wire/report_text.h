/* SPDX-License-Identifier: MIT */
/* report_text.h - a death report as text, without control characters. */
#ifndef BROOD_WIRE_REPORT_TEXT_H
#define BROOD_WIRE_REPORT_TEXT_H

#include <brood.h>

/*
 * Writes the line that brood_report_format() documents. Returns its whole length, as snprintf(). So
 * do the others: head is the line without frames and progress; frame: "parse+0x1c (server)".
 */
int report_text(const struct brood_report *report, char *text, size_t size);
int report_text_head(const struct brood_report *report, char *text, size_t size);
int report_text_frame(const struct brood_report_frame *frame, char *text, size_t size);
/*
 * The last line of stderr_text, with "?" for what is not for a line, and cut at the text's size.
 * Returns its length; 0: there is none.
 */
size_t report_text_last_line(const struct brood_report *report, char *text, size_t size);
/* "timed out"; "ended" for a cause that this library does not know. */
const char *report_text_cause(uint32_t cause);

#endif
