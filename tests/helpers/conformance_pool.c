/* SPDX-License-Identifier: MIT */
/*
 * With BROOD_CONFORM_POOL all jobs are for a second pool, which has the options of the case. What
 * only struct brood_pool_options has, a case says in the one entry of its `pools`.
 */
#include "conformance.h"

#include <stdlib.h>

static bool has_second_pool(void) { return getenv("BROOD_CONFORM_POOL") != NULL; }

struct brood_pool *site_pool(struct site *s)
{
	return has_second_pool() ? brood_pool(s->brood, "second") : NULL;
}

void conform_pools(struct brood_options *options)
{
	static struct brood_pool_options second;
	static const struct brood_pool_options *const pools[] = { &second };

	second = options->pools_count ? *options->pools[0] : (struct brood_pool_options){ 0 };
	second.size = sizeof second;
	second.name = has_second_pool() ? "second" : "main";
	second.worker_init = options->worker_init;
	second.worker_exit = options->worker_exit;
	second.hook_context = options->hook_context;
	options->pools_count = has_second_pool() || options->pools_count;
	options->pools = pools;
}
