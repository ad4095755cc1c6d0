/* SPDX-License-Identifier: MIT */
/* peer_lease.c - see peer_lease.h. */
#include "peer_lease.h"

#include "../../src/os/fds.h"
#include "../../src/os/futex.h"

#include <sys/mman.h>

static void *map(int fd, size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

void peer_grant(struct peer *p, uint32_t slot, struct peer_lease *ret)
{
	uint64_t base = 1000 * (slot + 1);
	struct frame f;

	peer_hear(p, &f, MESSAGE_LEASE);
	*ret = (struct peer_lease){ .peer = p,
		.id = f.lease.id,
		.down = map(f.fds[LEASE_FD_DOWN], sizeof *ret->down, PROT_READ),
		.up = map(f.fds[LEASE_FD_UP], sizeof *ret->up, PROT_READ | PROT_WRITE),
		.queue = map(f.fds[LEASE_FD_QUEUE], sizeof *ret->queue, PROT_READ),
		.page = shared_slot_page(&p->shared, slot),
		.lease_page = shared_lease_page(&p->shared, f.lease.lease_page),
		.side = frame_take_fd(&f, LEASE_FD_SIDE),
		.done_fd = frame_take_fd(&f, LEASE_FD_DONE),
		.base = base,
		.done = base };
	frame_done(&f);
	atomic_store(&ret->page->word, SLOT_PAGE_WORD(base, SLOT_PAGE_FREE));
	atomic_store(&ret->lease_page->published, base);
	atomic_store(&ret->lease_page->look_at, TIME_NEVER);
	atomic_store(&ret->lease_page->leaving, 0);
	frame_begin(&f, MESSAGE_GRANTED);
	f.granted = (struct message_granted){
		.id = ret->id, .sequence = base, .pid = 4711, .slot = slot, .generation = 1
	};
	CHECK_EQ(frame_send(p->channel, &f), 0);
}

uint64_t peer_known(const struct peer_lease *l)
{
	return atomic_load(&((struct ring_down *)(uintptr_t)l->down)->published);
}

bool peer_given(const struct peer_lease *l) { return peer_known(l) > l->done; }

uint64_t peer_begin(struct peer_lease *l)
{
	uint64_t sequence = l->done + 1;
	uint32_t found = atomic_load(&l->up->dones[sequence % RING_DEPTH].claim);

	CHECK(peer_given(l));
	CHECK(CLAIM_IS_OPEN(found, sequence));
	CHECK(atomic_compare_exchange_strong(&l->up->dones[sequence % RING_DEPTH].claim, &found,
		CLAIM_WORD(sequence, CLAIM_TAKEN)));
	atomic_store(&l->page->began_ns, now_ns());
	atomic_store(&l->page->word, SLOT_PAGE_WORD(sequence, SLOT_PAGE_RUNNING));
	return sequence;
}

static void complete(struct peer_lease *l, uint16_t flags)
{
	uint64_t sequence = ++l->done, now = now_ns();

	l->up->dones[sequence % RING_DEPTH] = (struct ring_done){ .sequence = sequence,
		.began_ns = now - 1000,
		.ended_ns = now,
		.flags = flags,
		.claim = CLAIM_WORD(sequence, CLAIM_TAKEN) };
	atomic_store(&l->page->word, SLOT_PAGE_WORD(sequence, SLOT_PAGE_DONE));
	atomic_store(&l->up->done, sequence);
}

void peer_end(struct peer_lease *l, uint16_t flags)
{
	_Atomic uint32_t *word = &l->up->callers[(l->done + 1) % RING_DEPTH];
	uint32_t before;

	complete(l, flags);
	if (l->down->entries[l->done % RING_DEPTH].flags & RING_CALLER) {
		before = atomic_exchange(word, CALLER_WORD(l->done, CALLER_TOLD));
		if (before == CALLER_WORD(l->done, CALLER_SLEEPS))
			futex_wake(word, 1);
		if (before != CALLER_WORD(l->done, CALLER_DONE_FD))
			return;
	}
	fds_poke(l->done_fd);
}

void peer_progress(struct peer_lease *l, uint64_t sequence, const char *text)
{
	struct frame f;
	struct message_progress *m = &frame_begin(&f, MESSAGE_PROGRESS)->progress;

	m->sequence = sequence;
	m->size = (uint32_t)strlen(text);
	memcpy(m->data, text, m->size);
	CHECK_EQ(frame_send(l->side, &f), 0);
}
