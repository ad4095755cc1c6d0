/* SPDX-License-Identifier: MIT */
/* fake_ring.c - see fake_ring.h. */
#define _GNU_SOURCE
#include "fake_ring.h"

#include "../../src/base/base.h"
#include "../../src/os/futex.h"
#include "../../src/os/sockets.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static void *make(size_t size, int seals, int *ret_fd)
{
	int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;

	CHECK_GE(fd, 0);
	CHECK_EQ(ftruncate(fd, (off_t)size), 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	*ret_fd = fd;
	return memory;
}

void fake_grant(struct fake *f, struct fake_ring *r)
{
	struct frame frame;
	int pair[2];

	memset(r, 0, sizeof *r);
	r->fake = f;
	r->page = shared_slot_page(&f->shared, f->config.slot);
	r->base = r->prepared = r->published = r->seen = f->sequence;
	r->lease = ++f->id;
	r->space.size = RING_DOWN_BYTES;
	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, pair), 0);
	r->side = pair[0];
	r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	frame_begin(&frame, MESSAGE_GRANT);
	frame.grant = (struct message_grant){ .id = r->lease, .sequence = r->base };
	frame.fds_count = LEASE_FDS;
	frame.fds[LEASE_FD_SIDE] = pair[1];
	frame.fds[LEASE_FD_DONE] = r->done_fd;
	r->down = make(sizeof *r->down, F_SEAL_FUTURE_WRITE, &frame.fds[LEASE_FD_DOWN]);
	r->up = make(sizeof *r->up, 0, &frame.fds[LEASE_FD_UP]);
	ring_claims_open(r->up->dones, r->base);
	r->queue = make(sizeof *r->queue, F_SEAL_FUTURE_WRITE, &frame.fds[LEASE_FD_QUEUE]);
	atomic_store(&r->page->word, SLOT_PAGE_WORD(r->base, SLOT_PAGE_FREE));
	CHECK_EQ(frame_send(f->channel, &frame), 0);
	for (int i = 0; i < LEASE_FDS; i++)
		if (i != LEASE_FD_DONE)
			close(frame.fds[i]);
}

struct ring_entry *fake_entry(struct fake_ring *r, brood_fn *fn, const void *request, size_t size)
{
	uint64_t sequence = ++r->prepared, end = r->space.head;
	struct ring_entry *e = &r->down->entries[sequence % RING_DEPTH];
	int64_t at = 0;

	CHECK_LE(sequence - r->seen, RING_DEPTH);
	if (size > 0 && request) {
		at = ring_space_take(&r->space, (uint32_t)size, 64, &end);
		CHECK_GE(at, 0);
		memcpy(r->down->bytes + at, request, size);
	}
	r->ends[sequence % RING_DEPTH] = end;
	*e = (struct ring_entry){ .sequence = sequence,
		.id = ++r->fake->id,
		.fn = (uintptr_t)fn,
		.request_size = size,
		.request_at = (uint32_t)at,
		.run_ms = 60000,
		.attempt = 1,
		.name = "job" };
	r->fake->sequence = sequence;
	return e;
}

void fake_entry_arg(
	struct fake_ring *r, struct ring_entry *e, const void *arg, size_t size, size_t plugin)
{
	uint64_t end;
	int64_t at = ring_space_take(&r->space, (uint32_t)size, 64, &end);

	CHECK_GE(at, 0);
	memcpy(r->down->bytes + at, arg, size);
	e->arg_at = (uint32_t)at;
	e->arg_size = (uint32_t)size;
	e->plugin_size = (uint32_t)plugin;
	r->ends[e->sequence % RING_DEPTH] = end;
}

static void wake(struct fake_ring *r)
{
	if (!atomic_load(&r->page->asleep))
		return;
	atomic_fetch_add(&r->page->wake, 1);
	CHECK_GE(futex_wake(&r->page->wake, 1), 0);
}

void fake_publish(struct fake_ring *r)
{
	r->published = r->prepared;
	atomic_store_explicit(&r->down->published, r->published, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	wake(r);
}

uint64_t fake_push(struct fake_ring *r, brood_fn *fn, const void *request, size_t size)
{
	fake_entry(r, fn, request, size);
	fake_publish(r);
	return r->published;
}

static uint64_t done(struct fake_ring *r)
{
	return atomic_load_explicit(&r->up->done, memory_order_acquire);
}

/* As the engine when it sleeps: a word says that the worker must wake it. */
void fake_await(struct fake_ring *r, uint64_t sequence)
{
	struct pollfd p = { .fd = r->done_fd, .events = POLLIN };
	uint64_t until = now_ns() + (uint64_t)test_scaled(WAIT_MS) * NS_PER_MS, count;

	while (done(r) < sequence) {
		atomic_store(&r->queue->listening, 1);
		atomic_thread_fence(memory_order_seq_cst);
		if (done(r) >= sequence)
			break;
		CHECK_MSG(now_ns() < until && poll(&p, 1, test_scaled(WAIT_MS)) != 0,
			"job %ju: done %ju, published %ju, page %jx, asleep %u",
			(uintmax_t)sequence, (uintmax_t)done(r), (uintmax_t)r->published,
			(uintmax_t)atomic_load(&r->page->word), atomic_load(&r->page->asleep));
		CHECK(read(r->done_fd, &count, sizeof count) == sizeof count || errno == EAGAIN ||
			errno == EINTR);
	}
	atomic_store(&r->queue->listening, 0);
}

static void collect(struct fake_ring *r)
{
	r->space.tail = r->ends[r->seen % RING_DEPTH];
	if (!r->keep)
		atomic_store_explicit(&r->down->collected, r->seen, memory_order_release);
}

struct ring_done fake_done_raw(struct fake_ring *r)
{
	struct ring_done d;

	fake_await(r, r->seen + 1);
	r->seen++;
	CHECK_EQ(collect_completion(r->up, r->seen, &d), 0);
	if (!(d.flags & DONE_BACK) && d.reply_size == 0)
		collect(r);
	return d;
}

struct ring_done fake_done(struct fake_ring *r, int code)
{
	struct ring_done d = fake_done_raw(r);

	CHECK_MSG(d.code == code &&
			(d.flags & ~(unsigned)(DONE_BACK | DONE_MEMFD | 15u << DONE_TOLD_SHIFT)) ==
				0 &&
			d.left == 0,
		"job %ju: code %d (%d), flags %x, left %x", (uintmax_t)d.sequence, d.code, code,
		d.flags, d.left);
	CHECK_LE(d.began_ns, d.ended_ns);
	return d;
}

/* The returned memory is valid until the next job with a reply. */
const void *fake_reply(struct fake_ring *r, const struct ring_done *d)
{
	static unsigned char copy[RING_INLINE_MAX];

	CHECK_LE(d->reply_size, RING_INLINE_MAX);
	memcpy(copy, r->up->bytes + d->reply_at, d->reply_size);
	collect(r);
	return copy;
}

struct ring_done fake_ring_job(struct fake_ring *r, brood_fn *fn, int code)
{
	fake_push(r, fn, NULL, 0);
	return fake_done(r, code);
}

void fake_with(struct fake_ring *r, uint64_t sequence, uint32_t flags, const int *fds, size_t count)
{
	struct frame f;

	frame_begin(&f, MESSAGE_WITH);
	f.side = (struct message_side){ .sequence = sequence, .flags = flags };
	for (size_t i = 0; i < count; i++)
		f.fds[f.fds_count++] = fds[i];
	CHECK_EQ(frame_send(r->side, &f), 0);
}

void fake_side(struct fake_ring *r, struct frame *f, enum message_type type)
{
	struct pollfd p = { .fd = r->side, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, test_scaled(WAIT_MS)), 1);
	CHECK_EQ(frame_receive(r->side, f, MSG_DONTWAIT), 1);
	CHECK_EQ(f->header.type, type);
}

void fake_attention(struct fake_ring *r)
{
	atomic_store(&r->page->attention, 1);
	atomic_fetch_add(&r->page->wake, 1);
	futex_wake(&r->page->wake, 1);
}

void fake_ask_to_leave(struct fake_ring *r)
{
	struct frame f;

	frame_begin(&f, MESSAGE_RECALL);
	f.recall.id = r->lease;
	CHECK_EQ(frame_send(r->fake->channel, &f), 0);
	fake_attention(r);
}

struct message_left fake_left(struct fake_ring *r)
{
	struct frame f;

	fake_hear(r->fake, &f, MESSAGE_LEFT);
	CHECK_EQ(f.left.id, r->lease);
	CHECK_EQ(f.left.sequence, atomic_load(&r->up->done) ? atomic_load(&r->up->done) : r->base);
	munmap(r->down, sizeof *r->down);
	munmap(r->up, sizeof *r->up);
	munmap(r->queue, sizeof *r->queue);
	close(r->side);
	close(r->done_fd);
	return f.left;
}

struct message_left fake_leave(struct fake_ring *r)
{
	fake_ask_to_leave(r);
	return fake_left(r);
}
