/* SPDX-License-Identifier: MIT */
/*
 * printable.h - text that the program or a job chose, for a line of a log, a terminal or ps: what
 * would move a cursor or end the line becomes "?".
 */
#ifndef BROOD_BASE_PRINTABLE_H
#define BROOD_BASE_PRINTABLE_H

#include <brood.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies text up to its NUL, at most size - 1 bytes, and ends the copy with a NUL. Reads no further
 * byte of `text`. Returns dst. size: not 0.
 */
char *printable_copy(char *dst, size_t size, const char *text);

/* Writes the decimal digits and a NUL, at most 11 bytes. Returns the place of the NUL. */
char *printable_number(char *dst, uint32_t number);

/* Function and tag of a job: "upper [GET /index]", or "upper" where the tag is "". Returns dst. */
#define PRINTABLE_JOB_MAX (BROOD_NAME_MAX + BROOD_TAG_MAX + 3)
char *printable_job(char dst[PRINTABLE_JOB_MAX], const char *name, const char *tag);

#endif
