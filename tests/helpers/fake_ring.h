/* SPDX-License-Identifier: MIT */
/*
 * fake_ring.h - the fake supervisor of fake.h, and a fake engine: a lease whose every step the test
 * makes itself. Call these functions in the body of a case. Every wait is bounded and CHECKed.
 */
#ifndef BROOD_TESTS_FAKE_RING_H
#define BROOD_TESTS_FAKE_RING_H

#include "../../src/engine/collect.h"
#include "../../src/wire/ring.h"
#include "fake.h"

struct fake_ring {
	struct fake *fake;
	struct slot_page *page;
	struct ring_down *down;
	struct ring_up *up;
	struct ring_queue *queue;
	int side, done_fd;    /* the engine's ends of side socket and done fd */
	uint64_t lease, base; /* base: the sequence before the first job */
	/*
	 * sequences: of the last entry that was filled; of the last that the worker may see; of the
	 * last whose completion was taken
	 */
	uint64_t prepared, published, seen;
	struct ring_space space;
	uint64_t ends[RING_DEPTH];
	/* do not tell the worker what was collected, so that the space for replies fills */
	bool keep;
};

void fake_grant(struct fake *f, struct fake_ring *r);
/* A new entry, not yet published. The test may change it. */
struct ring_entry *fake_entry(struct fake_ring *r, brood_fn *fn, const void *request, size_t size);
void fake_entry_arg(
	struct fake_ring *r, struct ring_entry *e, const void *arg, size_t size, size_t plugin);
/* Publishes all that was prepared, and wakes a sleeping worker. */
void fake_publish(struct fake_ring *r);
/* prepares and publishes; returns the sequence */
uint64_t fake_push(struct fake_ring *r, brood_fn *fn, const void *request, size_t size);
/* Waits for the next completion and checks what the engine would check. */
struct ring_done fake_done_raw(struct fake_ring *r);
/* the same, and checks that it is an ordinary one with this code */
struct ring_done fake_done(struct fake_ring *r, int code);
const void *fake_reply(struct fake_ring *r, const struct ring_done *d);
/* one whole job, from push to completion */
struct ring_done fake_ring_job(struct fake_ring *r, brood_fn *fn, int code);
void fake_await(struct fake_ring *r, uint64_t sequence); /* waits until `done` has this sequence */
void fake_with(
	struct fake_ring *r, uint64_t sequence, uint32_t flags, const int *fds, size_t count);
void fake_side(struct fake_ring *r, struct frame *f, enum message_type type);
void fake_ask_to_leave(struct fake_ring *r);
/* receives LEFT, and gives the memory back */
struct message_left fake_left(struct fake_ring *r);
struct message_left fake_leave(struct fake_ring *r); /* both of the above */
void fake_attention(struct fake_ring *r);

#endif
