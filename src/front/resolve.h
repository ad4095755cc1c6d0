/* SPDX-License-Identifier: MIT */
/*
 * resolve.h - struct brood_options as the rest of the library wants it: a copy of its own, no zeros
 * for defaults, arrays valid for the life of the process; and each of its pools in the same way.
 */
#ifndef BROOD_RESOLVE_H
#define BROOD_RESOLVE_H

#include "../wire/pool_setup.h"

struct resolved {
	struct brood_options options; /* has the pool options of the first pool, too */
	struct pool_setups pools;
	struct pool_setup *setups; /* the array to which `pools` points */
	void *memory;              /* the memory to which pointers in `options` point */
};

/*
 * Resolves the options. 0, or -EINVAL or -ENOMEM with a sentence in brood_error(). options NULL:
 * all defaults.
 */
int resolve_options(const struct brood_options *options, struct resolved *ret);
void resolve_free(struct resolved *r);

#endif
