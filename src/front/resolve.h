/* SPDX-License-Identifier: MIT */
/*
 * resolve.h - struct brood_options as the rest of the library wants it: a copy of its own, no zeros
 * for defaults, arrays valid for the life of the process; and each of its pools in the same way.
 */
#ifndef BROOD_RESOLVE_H
#define BROOD_RESOLVE_H

#include "../wire/pool_setup.h"

struct resolved {
	struct brood_options options; /* with those of the first pool */
	struct pool_setups pools;
	struct pool_setup *setups; /* what pools points to */
	void *memory;              /* what the pointers in options point into */
};

/* 0, -EINVAL or -ENOMEM with a sentence in brood_error(). NULL: all defaults. */
int resolve_options(const struct brood_options *options, struct resolved *ret);
void resolve_free(struct resolved *r);

#endif
