/* SPDX-License-Identifier: MIT */
/* need.c - what a pool needs, by the sums that brood_start() itself does (wire/birth.h). */
#include "doctor.h"

#include "../../src/wire/birth.h"
#include "../../src/wire/ring.h"

static struct pool_setup setup_of(const struct need *need)
{
	struct pool_setup setup = { .number = 0 };

	setup.options.workers = (uint32_t)MIN(need->workers, (uint64_t)UINT32_MAX / 4);
	setup.options.backlog = BIRTH_JOBS_LEAST;
	return setup;
}

uint64_t need_processes(const struct need *need)
{
	const struct pool_setup setup = setup_of(need);
	const struct pool_setups pools = { .list = &setup, .count = 1 };

	return need->workers + 3 + birth_by_spawner(&pools);
}

uint64_t need_files(const struct need *need)
{
	const struct pool_setup setup = setup_of(need);
	const struct pool_setups pools = { .list = &setup, .count = 1 };

	return birth_files_needed(&pools);
}

uint64_t need_file_size(void) { return MAX(sizeof(struct ring_up), sizeof(struct ring_down)); }
