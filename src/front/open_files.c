/* SPDX-License-Identifier: MIT */
/* open_files.c - see open_files.h. */
#include "open_files.h"
#include "resolve.h"

#include "../base/base.h"
#include "../engine/engine.h"
#include "../pool/kept.h"
#include "../wire/birth.h"
#include "../wire/control_request.h"
#include "../wire/job_room.h"

#include <sys/resource.h>

static void share(struct resolved *r, size_t others, size_t hard)
{
	for (uint32_t i = 0; i < r->pools.count; i++) {
		struct pool_setup *setup = &r->setups[i];

		setup->job_files = job_room_files(&r->pools, setup, others, hard);
		setup->lease_wishes = job_room_wishes(&r->pools, setup, others, hard);
	}
}

/* How many files may be kept: those that were passed, and a part of what the limit leaves. */
static uint32_t kept_room(uint32_t passed, size_t left)
{
	return passed + (uint32_t)MIN((size_t)(KEPT_MAX - passed), left / 8);
}

int open_files_check(struct resolved *r, size_t open, uint32_t passed, uint32_t *ret_kept_room)
{
	const struct pool_setups *pools = &r->pools;
	size_t control = r->options.control_path ? CONTROL_FILES : 0;
	size_t others = open + passed + control, need = birth_files_needed(pools) + others;
	uint32_t workers = 0;
	struct rlimit limit;
	size_t hard;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		engine_error("brood_start: getrlimit(RLIMIT_NOFILE): %s", strerror(errno));
		return -errno;
	}
	hard = limit.rlim_max == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_max;
	if (hard >= need) {
		*ret_kept_room = kept_room(passed, hard - need);
		share(r, open + *ret_kept_room + control, hard);
		return 0;
	}
	for_each_setup(pool, pools) workers += pool->options.workers;
	engine_error("brood_start: %u workers need %zu open files in the supervisor (%zu for those "
		     "that the program has open), but the hard limit is %llu: raise it "
		     "(LimitNOFILE=%zu in a systemd unit, ulimit -Hn %zu as root), or ask for "
		     "fewer workers",
		workers, need, others, (unsigned long long)limit.rlim_max, need, need);
	return -EMFILE;
}
