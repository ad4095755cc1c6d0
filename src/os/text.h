/* SPDX-License-Identifier: MIT */
/*
 * text.h - tells whether a pointer is code that was mapped at the start and still is (law 7). The
 * original process notes the executable segments of all loaded objects once. The loader's own
 * counters tell whether an object was unloaded since. So the check is a binary search and two
 * loads.
 */
#ifndef BROOD_OS_TEXT_H
#define BROOD_OS_TEXT_H
#include <stdbool.h>
/* returns 0 or -ENOMEM; a second call replaces the first one's notes */
int text_snapshot(void);
bool text_callable(const void *fn); /* true: fn may be called; thread-safe */
/* True: fn lies in the program itself, not in a library, so it stays callable. Thread-safe. */
bool text_in_program(const void *fn);
#endif
