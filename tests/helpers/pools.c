/* SPDX-License-Identifier: MIT */
#include "pools.h"

#include <stdio.h>

const char *pools_mine = "none";

int pools_init(void *context)
{
	pools_mine = context;
	return 0;
}

int pools_who(struct brood_job *job)
{
	struct brood_init_data d;
	char text[128];
	int n;

	if (brood_get_init_data(&d) < 0)
		return 100;
	n = snprintf(text, sizeof text, "%s:%.*s", pools_mine, (int)d.data_size,
		d.data_size ? (const char *)d.data : "");
	return brood_job_reply(job, text, (size_t)n) == n ? 0 : 101;
}

struct brood *pools_start(const struct brood_options *o, const struct brood_pool_options *more)
{
	struct brood_pool_options php = more ? *more : (struct brood_pool_options){ 0 };
	const struct brood_pool_options *list[] = { &php };
	struct brood_options options = o ? *o : (struct brood_options){ 0 };

	php.size = sizeof php;
	php.name = "php";
	php.workers = php.workers ? php.workers : POOLS_OTHER;
	if (!php.worker_init) {
		php.worker_init = pools_init;
		php.hook_context = (void *)(uintptr_t) "php";
	}
	options.workers = options.workers ? options.workers : POOLS_MAIN;
	options.worker_init = pools_init;
	options.hook_context = (void *)(uintptr_t) "main";
	options.pools = list;
	options.pools_count = 1;
	return pool_start(&options);
}

struct brood_stats pools_stats(struct brood *brood, const char *name)
{
	struct brood_stats stats;

	CHECK_EQ(brood_pool_stats(brood_pool(brood, name), &stats), 0);
	return stats;
}

static bool is_full(struct brood *brood, const char *name)
{
	struct brood_stats stats = pools_stats(brood, name);

	return stats.ready == stats.workers;
}

void pools_full(struct brood *brood, const char *name)
{
	CHECK(WAIT_UNTIL(is_full(brood, name), 10000));
}
