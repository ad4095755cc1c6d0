/* SPDX-License-Identifier: MIT */
/*
 * text.h - law 7: is this pointer code that was mapped at start and still is? The executable
 * segments of all loaded objects are noted once, in the original process; the loader's own counters
 * tell whether anything was unloaded since, so that the check is a binary search and two loads.
 */
#ifndef BROOD_OS_TEXT_H
#define BROOD_OS_TEXT_H
#include <stdbool.h>
int text_snapshot(void);            /* 0 or -ENOMEM; again replaces it */
bool text_callable(const void *fn); /* thread-safe */
#endif
