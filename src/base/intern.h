/* SPDX-License-Identifier: MIT */
/*
 * intern.h - one name for each function, copied when the function is first seen, the same for life.
 */
#ifndef BROOD_INTERN_H
#define BROOD_INTERN_H

#include <stdint.h>

#define INTERN_NAME_MAX 64 /* The bytes of a name with its NUL. A longer name is cut. */
/* At most so many functions have a name. The name of any further one is "?". */
#define INTERN_FUNCTIONS_MAX 4096u

/*
 * Returns the name of the function at `function`. A function that has a name keeps it. Else `text`
 * becomes the name: a copy, cut to fit, with spaces for control characters; "?" if `text` is NULL
 * or empty. In C++ the macros of brood.h cannot take the function out of their arguments, so they
 * pass a byte 0xf8 + N (no UTF-8 text begins so) and the text of all arguments: the name is what
 * stands between the first argument and the last N. Any thread may call this; it takes no lock. The
 * name is valid until the process ends.
 */
const char *intern_function(uintptr_t function, const char *text);

#endif
