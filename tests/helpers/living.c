/* SPDX-License-Identifier: MIT */
#include "living.h"

#include <unistd.h>

struct living *living;

void living_make(void)
{
	living = mmap(
		NULL, sizeof *living, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(living != MAP_FAILED);
}

static bool is_held(int version)
{
	int hold = atomic_load(&living->hold);

	return hold && version >= hold;
}

static bool fails(int version)
{
	int from = atomic_load(&living->failing), to = atomic_load(&living->failing_to);

	return from && version >= from && (!to || version <= to);
}

int living_begins(void *context)
{
	struct brood_init_data d;
	int alive, most, version = brood_get_init_data(&d) == 0 ? (int)d.version : 0;

	(void)context;
	if (is_held(version)) {
		atomic_fetch_add(&living->held, 1);
		if (!WAIT_UNTIL(!is_held(version), 20000))
			return 6;
	}
	if (fails(version)) {
		atomic_fetch_add(&living->refusals, 1);
		return 5;
	}
	atomic_fetch_add(&living->born, 1);
	alive = atomic_fetch_add(&living->alive, 1) + 1;
	most = atomic_load(&living->most);
	while (alive > most && !atomic_compare_exchange_weak(&living->most, &most, alive))
		;
	return 0;
}

void living_ends(void *context)
{
	(void)context;
	atomic_fetch_sub(&living->alive, 1);
}

struct brood *living_start(const struct brood_options *options, struct brood_pool_options own)
{
	const struct brood_pool_options *const pools[] = { &own };
	struct brood_options o = *options;

	living_make();
	own.size = sizeof own;
	own.name = "main";
	o.worker_init = living_begins;
	o.worker_exit = living_ends;
	o.log = o.log ? o.log : note_log;
	o.pools = pools;
	o.pools_count = 1;
	return pool_start(&o);
}
