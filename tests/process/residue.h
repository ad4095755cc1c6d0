/* SPDX-License-Identifier: MIT */
/* residue.h - what the tests of residue share: jobs on each path, and what they leave. */
#ifndef BROOD_TESTS_RESIDUE_H
#define BROOD_TESTS_RESIDUE_H

#include "../helpers/pool.h"

#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/vfs.h>
#include <unistd.h>

static struct brood *brood;

static inline struct brood_verdict on_path(brood_fn *fn, uint32_t path, uint32_t flags, int number)
{
	struct brood_job_options options = { .size = sizeof options,
		.dispatch = path,
		.flags = flags,
		.arg = &number,
		.arg_size = sizeof number };

	return pool_call_with(brood, fn, &options);
}

static inline int makes_calls(struct brood_job *job)
{
	(void)job;
	return usleep(1000);
}

static inline void expect_left(struct brood_verdict v, uint32_t left)
{
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_MSG(v.left == left, "left is 0x%x instead of 0x%x", v.left, left);
}

static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };
#define EACH_PATH(p) (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++)

#endif
