/* SPDX-License-Identifier: MIT */
/* With BROOD_CONFORM_POOL all jobs are for a second pool, which has the options of the case. */
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

	second = (struct brood_pool_options){ .size = sizeof second,
		.name = "second",
		.worker_init = options->worker_init,
		.worker_exit = options->worker_exit,
		.hook_context = options->hook_context };
	options->pools = pools;
	options->pools_count = has_second_pool();
}
