/* SPDX-License-Identifier: MIT */
/* map_options.h - the options of brood_map(), checked. */
#ifndef BROOD_MAP_OPTIONS_H
#define BROOD_MAP_OPTIONS_H

#include <brood.h>
#include <stddef.h>

#define MAP_AT_ONCE_MAX 65536u /* the most jobs for which a queue has room */

/* Copies the options with their defaults (at_once stays 0). 0, or -EINVAL with a sentence. */
int map_options_resolve(const struct brood_map_options *options, struct brood_map_options *ret_map,
	struct brood_job_options *ret_job);
/* Checks the items. 0, or -EINVAL with a sentence that has the first wrong item. */
int map_options_check_items(const struct iovec *items, size_t count);

#endif
