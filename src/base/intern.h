/* SPDX-License-Identifier: MIT */
/*
 * intern.h - one name for each function, copied when the function is first seen, the same for life.
 */
#ifndef BROOD_INTERN_H
#define BROOD_INTERN_H

#include <stdint.h>

#define INTERN_NAME_MAX 64 /* The bytes of a name with its NUL. A longer name is cut. */
/* So many functions get a name of their own. Later ones are called "?". */
#define INTERN_FUNCTIONS_MAX 4096u

/*
 * The name of the function at `function`: `text` when the function is new (copied, cut, control
 * characters become spaces), else the name that it got first. `text` may be NULL or empty: "?". A
 * first byte of 0xf8 + N, which no UTF-8 text has, says that the text is the whole list of a
 * macro's arguments, as C++ passes it: the function is all between the first argument and the last
 * N. Any thread; takes no lock. The result stays for the life of the process.
 */
const char *intern_function(uintptr_t function, const char *text);

#endif
