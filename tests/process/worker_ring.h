/* SPDX-License-Identifier: MIT */
/* worker_ring.h - what the tests of one worker on lease share: the lease, its begin and its end. */
#ifndef BROOD_TESTS_WORKER_RING_H
#define BROOD_TESTS_WORKER_RING_H

#include "../helpers/fake_ring.h"
#include "worker.h"

static struct fake_ring ring;

static inline void begin(void)
{
	fake_init(&fake);
	fake_start(&fake);
	fake_grant(&fake, &ring);
}

static inline void finish(void)
{
	struct message_left left = fake_leave(&ring);

	CHECK_EQ(left.flags, 0);
	CHECK_EQ(left.left, 0);
	fake_end(&fake);
}

#endif
