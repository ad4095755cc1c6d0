/* SPDX-License-Identifier: MIT */
/*
 * options.h - option structs that begin with their size and may grow: an older caller's is shorter,
 * a newer caller's longer.
 */
#ifndef BROOD_BASE_OPTIONS_H
#define BROOD_BASE_OPTIONS_H

#include <stddef.h>

/*
 * Copies the struct at src, whose first member is a size_t with its size, into dst, which has
 * `known` bytes; what src does not have is zero there, and dst's size is `known`. src may be NULL:
 * all zeros. Returns 0, or -EINVAL if src is shorter than `minimal`, or if its bytes beyond `known`
 * are not all zero (an option that this library does not know).
 */
int options_copy(void *dst, size_t known, const void *src, size_t minimal);

#endif
