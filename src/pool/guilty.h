/* SPDX-License-Identifier: MIT */
/*
 * guilty.h - whose fault a crash is, as far as names tell. abort() alone makes four frames of the C
 * library, a C++ exception seven. The program's own function shall stand among the first three.
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
