/* SPDX-License-Identifier: MIT */
/* worker.h - what the tests of one worker share: the supervisor that they play, and a job. */
#ifndef BROOD_TESTS_WORKER_H
#define BROOD_TESTS_WORKER_H

#include "../helpers/fake.h"

static struct fake fake;

static inline int nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}
static inline atomic_int *marked(void) { return case_shared(); }

#endif
