/* SPDX-License-Identifier: MIT */
/*
 * guilty.h - whose fault a crash is, as far as names tell. A reader looks for the program's own
 * function in the first lines of a death report, but abort() puts four frames of the C library
 * before it, a C++ exception seven.
 */
#ifndef BROOD_POOL_GUILTY_H
#define BROOD_POOL_GUILTY_H

#include <brood.h>

/*
 * Of the innermost frames that belong to the run-time libraries, only the one that the program's
 * own code has called stays. The outermost frames, which are this library's, go.
 */
void guilty_trim(struct brood_report *report);

#endif
