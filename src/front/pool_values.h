/* SPDX-License-Identifier: MIT */
/*
 * pool_values.h - defaults and bounds of the fields of struct brood_options, above all of those
 * that describe a pool. They are the same for each pool.
 */
#ifndef BROOD_POOL_VALUES_H
#define BROOD_POOL_VALUES_H

#include <brood.h>

#define POOL_WORKERS_MAX 10000u /* the most workers of all pools together */

/* Gives each field that is 0 its default. */
void pool_values_default(struct brood_options *o);
/*
 * Checks the values. 0, or -EINVAL with a sentence. where: what stands before a field's name, such
 * as "options."
 */
int pool_values_check(const struct brood_options *o, const char *where);

#endif
