/* SPDX-License-Identifier: MIT */
/* lease_stage.h - a lease with a fake clock, slot page and lease page. */
#ifndef BROOD_TESTS_LEASE_STAGE_H
#define BROOD_TESTS_LEASE_STAGE_H

#include "pool/watch.h"
#include "unit.h"

#define AT     (1000 * NS_PER_S)
#define BASE   100u
#define RUN    300u
#define GRACE  50u
#define IDLE   1000u
#define RECALL 2000u
#define CORE   700u
#define MS(n)  ((uint64_t)(n)*NS_PER_MS)

struct stage {
	struct lease_watch w;
	struct ladder ladder;
	struct lease_page_entry entries[RING_DEPTH];
	uint64_t word, began, published;
};

static inline void begin_with(struct stage *s, bool pinned, uint32_t limit_ms)
{
	*s = (struct stage){ .w = { .base = BASE,
				     .limit_at = time_after_ms(AT, limit_ms),
				     .idle_ms = IDLE,
				     .grace_ms = RECALL,
				     .core_ms = CORE,
				     .pinned = pinned } };
	for (size_t i = 0; i < RING_DEPTH; i++)
		s->entries[i] =
			(struct lease_page_entry){ .id = i, .run_ms = RUN, .grace_ms = GRACE };
	s->word = SLOT_PAGE_WORD(BASE, SLOT_PAGE_FREE);
	s->published = BASE;
	watch_begin(&s->w, AT);
}

static inline void begin(struct stage *s) { begin_with(s, false, BROOD_FOREVER); }

static inline enum lease_wish look(struct stage *s, uint64_t now)
{
	const struct lease_sight see = { .word = s->word,
		.began_ns = s->began,
		.published = s->published,
		.entries = s->entries };

	return watch_look(&s->w, &s->ladder, &see, now);
}

static inline uint64_t next(struct stage *s, uint64_t now)
{
	return watch_next(&s->w, &s->ladder, now);
}

static inline void run(struct stage *s, uint64_t n, uint64_t began)
{
	s->published = MAX(s->published, n);
	s->word = SLOT_PAGE_WORD(n, SLOT_PAGE_RUNNING);
	s->began = began;
}

static inline void done(struct stage *s, uint64_t n)
{
	s->word = SLOT_PAGE_WORD(n, SLOT_PAGE_DONE);
}

#endif
