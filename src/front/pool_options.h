/* SPDX-License-Identifier: MIT */
/* pool_options.h - the pools of struct brood_options, as the rest of the library wants them. */
#ifndef BROOD_POOL_OPTIONS_H
#define BROOD_POOL_OPTIONS_H

#include "../wire/pool_setup.h"

/*
 * Makes the list of pools, the first pool first. o: the program's options, checked except for its
 * pools; a 0 in it still means the default, and its arrays are valid for life. The caller gives
 * *ret_list to pool_options_free(). 0, -EINVAL or -ENOMEM with a sentence.
 */
int pool_options_resolve(
	const struct brood_options *o, struct pool_setup **ret_list, uint32_t *ret_count);
void pool_options_free(struct pool_setup *list, uint32_t count);

#endif
