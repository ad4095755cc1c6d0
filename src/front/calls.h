/* SPDX-License-Identifier: MIT */
/* calls.h - what calls.c and calls_submit.c share. */
#ifndef BROOD_CALLS_H
#define BROOD_CALLS_H

#include <brood.h>

/* The name that fn got first (base/intern.h). */
const char *calls_name(brood_fn *fn, const char *text);

/* The sum of the pieces' sizes; -EINVAL with a sentence: no request looks like that. */
int calls_check_pieces(
	const char *call, const struct iovec *pieces, size_t count, size_t *ret_size);

#endif
