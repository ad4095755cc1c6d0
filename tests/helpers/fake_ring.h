/* SPDX-License-Identifier: MIT */
/*
 * fake_ring.h - the supervisor of fake.h, and an engine of a few lines: a lease of which every step
 * is the test's own. Called in the body of a case. Every wait is bounded and CHECKed.
 */
#ifndef BROOD_TESTS_FAKE_RING_H
#define BROOD_TESTS_FAKE_RING_H

#include "../../src/wire/ring.h"
#include "fake.h"

struct fake_ring {
	struct fake *fake;
	struct slot_page *page;
	struct ring_down *down;
	struct ring_up *up;
	struct ring_queue *queue;
	int side, done_fd;    /* the engine's ends */
	uint64_t lease, base; /* base: the sequence before the first */
	/*
	 * sequences: of the last entry that was filled; that the worker may see; whose completion
	 * was taken
	 */
	uint64_t prepared, published, seen;
	struct ring_space space;
	uint64_t ends[RING_DEPTH];
	bool keep; /* do not say what was collected: the up space fills */
};

void fake_lend(struct fake *f, struct fake_ring *r);
/* A fresh entry, claimed as QUEUED, not yet published: change it. */
struct ring_entry *fake_entry(struct fake_ring *r, brood_fn *fn, const void *request, size_t size);
void fake_entry_arg(
	struct fake_ring *r, struct ring_entry *e, const void *arg, size_t size, size_t plugin);
/* All that was prepared, and a wake-up for a sleeper. */
void fake_publish(struct fake_ring *r);
/* both; its sequence */
uint64_t fake_push(struct fake_ring *r, brood_fn *fn, const void *request, size_t size);
/* Waits for the next completion, of which it checks what the engine would. */
struct ring_done fake_done_raw(struct fake_ring *r);
/* and that it is an ordinary one, with that code */
struct ring_done fake_done(struct fake_ring *r, int code);
const void *fake_reply(struct fake_ring *r, const struct ring_done *d);
/* one, from push to done */
struct ring_done fake_ring_job(struct fake_ring *r, brood_fn *fn, int code);
void fake_await(struct fake_ring *r, uint64_t sequence); /* until `done` is that far */
void fake_with(
	struct fake_ring *r, uint64_t sequence, uint32_t flags, const int *fds, size_t count);
void fake_side(struct fake_ring *r, struct frame *f, enum message_type type);
void fake_ask_to_leave(struct fake_ring *r);
/* hears LEFT, and gives the memory back */
struct message_left fake_left(struct fake_ring *r);
struct message_left fake_leave(struct fake_ring *r); /* both */
void fake_attention(struct fake_ring *r);

#endif
