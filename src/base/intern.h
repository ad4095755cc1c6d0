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
 * Returns the name of the function at `function`: the one that it got first, else `text` (copied,
 * cut, control characters become spaces). If `text` is NULL or empty: "?". If its first byte is
 * 0xf8 + N, which begins no UTF-8 text, the rest is the whole list of a macro's arguments, from
 * C++: the name is what stands between the first argument and the last N. May be called by any
 * thread; takes no lock. The name is valid until the process ends.
 */
const char *intern_function(uintptr_t function, const char *text);

#endif
