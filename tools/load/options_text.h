/* SPDX-License-Identifier: MIT */
/*
 * options_text.h - reads numbers from the command line. Each function returns 0, or -EINVAL after
 * it has written to standard error what is wrong and what would be right.
 */
#ifndef BROOD_LOAD_OPTIONS_TEXT_H
#define BROOD_LOAD_OPTIONS_TEXT_H

#include <stddef.h>
#include <stdint.h>

int options_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
int options_whole(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *ret);
int options_unsigned(const char *name, const char *text, unsigned min, unsigned max, unsigned *ret);
int options_real(const char *name, const char *text, double min, double max, double *ret);
/*
 * Reads a number that ends where `text` ends, or at `stop`. Returns its end. NULL: this is no
 * number, and nothing is written.
 */
const char *options_number(const char *text, char stop, double *ret);

#endif
