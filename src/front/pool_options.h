/* SPDX-License-Identifier: MIT */
/* pool_options.h - the pools of struct brood_options, as the rest of the library wants them. */
#ifndef BROOD_POOL_OPTIONS_H
#define BROOD_POOL_OPTIONS_H

#include "../wire/pool_setup.h"

/*
 * What each pool is: the first one first. o: as the program gave it, checked but for its pools,
 * with zeros for defaults still; its arrays are valid for life. *ret_list is the caller's, who
 * calls pool_options_free(). 0, -EINVAL or -ENOMEM with a sentence.
 */
int pool_options_resolve(
	const struct brood_options *o, struct pool_setup **ret_list, uint32_t *ret_count);
void pool_options_free(struct pool_setup *list, uint32_t count);

#endif
