/* SPDX-License-Identifier: MIT */
/*
 * hazards.h - what brood_start() finds on the machine that will cost jobs although the start goes
 * well: a line in the log for each. brood-doctor(1) calls the same a fault. Limits that leave too
 * few workers are in capacity.h.
 */
#ifndef BROOD_HAZARDS_H
#define BROOD_HAZARDS_H

#include "../os/cgroup.h"
#include "../wire/pool_setup.h"

#define HAZARDS_LINE 400

struct hazards {
	char oom_group[CGROUP_NAME]; /* the cgroup whose memory.oom.group is 1; "": none has it */
	/* How many signals are queued for processes of this user, and how many may be. */
	uint64_t signals, signals_limit;
	bool signals_known;
	uint64_t
		memory_left; /* that the kernel promises; UINT64_MAX: it promises without a limit */
};

/* "": there is no such hazard. */
struct hazards_lines {
	char oom_group[HAZARDS_LINE], signals[HAZARDS_LINE], memory[HAZARDS_LINE];
};

/* root: as in os/cgroup.h. */
void hazards_look(const char *root, struct hazards *ret);
/* Makes no system call. */
void hazards_judge(
	const struct hazards *h, const struct pool_setups *pools, struct hazards_lines *ret_lines);

#endif
