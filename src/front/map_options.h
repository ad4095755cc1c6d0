/* SPDX-License-Identifier: MIT */
/* map_options.h - the options of brood_map(), checked. */
#ifndef BROOD_MAP_OPTIONS_H
#define BROOD_MAP_OPTIONS_H

#include <brood.h>
#include <stddef.h>

#define MAP_AT_ONCE_MAX 65536u /* the most jobs for which a queue has room */

/*
 * Copies the options, and sets defaults (but leaves at_once as it is). Returns 0, or -EINVAL: then
 * brood_error() says what is wrong.
 */
int map_options_resolve(const struct brood_map_options *options, struct brood_map_options *ret_map,
	struct brood_job_options *ret_job);
/* Checks the items. 0, or -EINVAL with a sentence that names the first wrong item. */
int map_options_check_items(const struct iovec *items, size_t count);

#endif
