/* SPDX-License-Identifier: MIT */
/*
 * demangle.h - names of C++ functions nearly as their source has them: without parameters, and with
 * "<...>" for the arguments of templates.
 */
#ifndef BROOD_BASE_DEMANGLE_H
#define BROOD_BASE_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes "ns::List<...>::push" for "_ZN2ns4ListIiE4pushEi". False: it is no C++ name, or one that
 * this file does not understand, or the text has no room; *ret is untouched. The name may hold
 * anything.
 */
bool demangle(const char *name, char *ret, size_t size);

#endif
