/* SPDX-License-Identifier: MIT */
/* engine.h - what the tests of the engine alone share: the fake supervisor, and what they ask. */
#ifndef BROOD_TESTS_ENGINE_H
#define BROOD_TESTS_ENGINE_H

#include "../helpers/case.h"
#include "../helpers/peer.h"

static struct peer peer;

static inline void start(uint32_t records)
{
	peer_init(&peer);
	peer_start(&peer, records);
}
static inline struct brood_stats stats(void)
{
	struct brood_stats s;

	CHECK_EQ(engine_stats(peer.brood, &s), 0);
	return s;
}
static inline enum brood_outcome outcome_of(struct brood_handle *h)
{
	struct brood_verdict v;
	int r = engine_fetch(h, &v);

	if (r < 0) {
		CHECK_EQ(r, -EAGAIN);
		return 0;
	}
	CHECK_EQ(v.size, sizeof v);
	CHECK_EQ(v.id, engine_id(h));
	return v.outcome;
}

#endif
