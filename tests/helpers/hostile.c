/* SPDX-License-Identifier: MIT */
/* hostile.c - see hostile.h. */
#include "hostile.h"
#include "hostile_loot.h"
#include "report.h"

#include "../../src/wire/frame.h"
#include "../../src/wire/ring.h"
#include "../../src/wire/slot_page.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* behind the part of the case's shared memory that the stages take */
#define SHARED_AT 40960
_Static_assert(SHARED_AT + sizeof(struct hostile_shared) <= REPORT_SHARED, "there is room for it");

/* Silences a sanitizer in this process: it would report what is done on purpose. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

struct hostile_shared *hostile_shared(void)
{
	return (struct hostile_shared *)(void *)((char *)case_shared() + SHARED_AT);
}

bool hostile_tainted(pid_t pid)
{
	struct hostile_shared *h = hostile_shared();

	for (unsigned i = 0; pid > 0 && i < TAINTED; i++)
		if (atomic_load(&h->pids[i]) == pid)
			return true;
	return false;
}

uint64_t hostile_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1du >> 11;
}

static void breach(const char *what)
{
	struct hostile_shared *h = hostile_shared();

	if (atomic_fetch_add(&h->breaches, 1) == 0)
		snprintf(h->breach, sizeof h->breach, "%s", what);
}

/* ---- memory ---- */

static uint64_t odd_number(uint64_t *r)
{
	static const uint64_t odd[] = { 0, 1, 2, 63, 64, RING_DEPTH - 1, RING_DEPTH, RING_DEPTH + 1,
		RING_UP_BYTES - 1, RING_UP_BYTES, RING_UP_BYTES + 1, RING_INLINE_MAX, UINT32_MAX,
		(uint64_t)1 << 31, (uint64_t)1 << 32, (uint64_t)1 << 61, (uint64_t)1 << 63,
		UINT64_MAX, UINT64_MAX - 1, INT64_MAX };
	uint64_t x = hostile_random(r);

	return x % 4 == 0 ? hostile_random(r) << 12 ^ x : odd[x / 4 % (sizeof odd / sizeof odd[0])];
}

static void scribble(uint64_t *r)
{
	for (unsigned i = 0, n = (unsigned)(hostile_random(r) % 4000); i < n && loot.areas_count;
		i++) {
		const struct area *a = &loot.areas[hostile_random(r) % loot.areas_count];
		size_t at = hostile_random(r) % a->size, length = 1 + hostile_random(r) % 256;

		if (!a->writable)
			continue;
		if (hostile_random(r) % 2) /* the pages with the small words */
			at %= a->size > 16384 ? 16384 : a->size;
		for (size_t k = at; k < at + length && k < a->size; k++)
			a->at[k] = (unsigned char)hostile_random(r);
	}
}

static void lie_about_jobs(uint64_t *r)
{
	struct ring_up *up = loot.up;
	uint64_t done, sequence;

	if (!up)
		return;
	done = atomic_load(&up->done);
	sequence = hostile_random(r) % 3
		? (loot.page ? SLOT_PAGE_SEQUENCE(atomic_load(&loot.page->word)) : done + 1)
		: odd_number(r);
	for (unsigned i = 0, n = (unsigned)(hostile_random(r) % 8); i < n; i++) {
		struct ring_done *d = &up->dones[(sequence + i) % RING_DEPTH];

		d->sequence = hostile_random(r) % 4 ? sequence + i : odd_number(r);
		d->began_ns = odd_number(r);
		d->ended_ns = odd_number(r);
		d->reply_size = hostile_random(r) % 2 ? hostile_random(r) % 100 : odd_number(r);
		d->reply_at = (uint32_t)(hostile_random(r) % 2 ? 0 : odd_number(r));
		d->cpu_us = odd_number(r);
		d->peak_kb = odd_number(r);
		d->code = (int32_t)odd_number(r);
		d->left = (uint32_t)odd_number(r);
		d->flags = hostile_random(r) % 2 ? (uint32_t)(hostile_random(r) & DONE_FLAGS)
						 : (uint32_t)odd_number(r);
		d->extra = (uint32_t)(hostile_random(r) % 2 ? hostile_random(r) % 40
							    : odd_number(r));
	}
	atomic_store(&up->done,
		hostile_random(r) % 2 ? sequence + hostile_random(r) % 5 : odd_number(r));
}

static void flip_claims(uint64_t *r)
{
	struct ring_up *up = loot.up;

	for (unsigned i = 0; up && i < 300; i++) {
		unsigned at = (unsigned)(hostile_random(r) % RING_DEPTH);
		uint32_t word = atomic_load(&up->dones[at].claim);

		atomic_store(&up->dones[at].claim,
			hostile_random(r) % 2 ? (word & ~3u) | (uint32_t)(hostile_random(r) & 3)
					      : (uint32_t)odd_number(r));
	}
}

static void lie_on_slot_page(uint64_t *r)
{
	struct slot_page *page = loot.page;
	uint64_t word;

	if (!page)
		return;
	word = atomic_load(&page->word);
	switch (hostile_random(r) % 4) {
	case 0:
		atomic_store(&page->word,
			SLOT_PAGE_WORD(SLOT_PAGE_SEQUENCE(word) + hostile_random(r) % 3 - 1,
				hostile_random(r) % 8));
		break;
	case 1: atomic_store(&page->word, odd_number(r)); break;
	case 2: atomic_store(&page->began_ns, odd_number(r)); break;
	default:
		atomic_store(&page->wake, (uint32_t)odd_number(r));
		atomic_store(&page->asleep, (uint32_t)odd_number(r));
		atomic_store(&page->attention, (uint32_t)odd_number(r));
	}
}

/* A thread that writes while the engine reads. */
static void *scribbler(void *seed)
{
	uint64_t r = (uint64_t)(uintptr_t)seed | 1;

	for (;;) {
		scribble(&r);
		lie_about_jobs(&r);
		flip_claims(&r);
		lie_on_slot_page(&r);
	}
	return NULL;
}
static void scribble_beside(uint64_t *r)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, scribbler, (void *)(uintptr_t)hostile_random(r)) == 0)
		pthread_detach(thread);
}

/* ---- what it was given ---- */

static void write_to_down(const struct area *a)
{
	if (mprotect(a->at, a->size, PROT_READ | PROT_WRITE) == 0) {
		if (!a->own)
			breach("mprotect() made memory writable that only the engine may write");
		memset(a->at, 0x5a, a->size);
	}
}

static void truncate_all(uint64_t *r)
{
	for (size_t i = 0; i < loot.areas_count; i++)
		if (!loot.areas[i].writable)
			write_to_down(&loot.areas[i]);
	for (size_t i = 0; i < loot.memfds_count; i++) {
		char path[64], target[256] = "", own[64];
		int fd = loot.memfds[i], again;
		void *at;

		snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
		if (readlink(own, target, sizeof target - 1) < 0 || !strstr(target, "brood-"))
			continue;
		if (ftruncate(fd, (off_t)(hostile_random(r) % 8192)) == 0 &&
			(strstr(target, "down") || strstr(target, "up") || strstr(target, "queue")))
			breach("ftruncate() of a lease's memory");
		if (ftruncate(fd, 64 << 20) == 0 &&
			(strstr(target, "down") || strstr(target, "up") || strstr(target, "queue")))
			breach("a lease's memory was made larger");
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536);
		if (strstr(target, "up"))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		again = open(path, O_RDWR | O_CLOEXEC);
		if (again >= 0 && pwrite(again, "hostile", 7, 0) > 0)
			breach("write() to memory that only the engine may write");
		at = again >= 0 ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0)
				: MAP_FAILED;
		if (at != MAP_FAILED) {
			breach("mmap() of memory that only the engine may write");
			munmap(at, 4096);
		}
		close(again);
	}
}

static void set_flags(uint64_t *r)
{
	for (int fd = 3; fd < 64; fd++) {
		int size = (int)(hostile_random(r) % 3000), on = (int)(hostile_random(r) & 1);

		fcntl(fd, F_SETFL, hostile_random(r) % 2 ? O_NONBLOCK : O_APPEND);
		fcntl(fd, F_SETFD, on);
		fcntl(fd, F_ADD_SEALS, (int)(hostile_random(r) & 31));
		setsockopt(fd, SOL_SOCKET, hostile_random(r) % 2 ? SO_SNDBUF : SO_RCVBUF, &size,
			sizeof size);
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	}
}

static void write_done_fds(uint64_t *r)
{
	uint64_t count = UINT64_MAX - 1 - hostile_random(r) % 2;

	for (size_t i = 0; i < loot.events_count; i++) {
		fcntl(loot.events[i], F_SETFL, O_NONBLOCK);
		if (write(loot.events[i], &count, sizeof count) < 0 && hostile_random(r) % 2)
			(void)!read(loot.events[i], &count, sizeof count);
		count = 1 + hostile_random(r) % 1000;
		(void)!write(loot.events[i], &count, sizeof count);
	}
}

static void shut_sockets(uint64_t *r)
{
	for (size_t i = 0; i < loot.sockets_count; i++)
		if (hostile_random(r) % 3 == 0)
			shutdown(loot.sockets[i], (int)(hostile_random(r) % 3));
}

static void close_some(uint64_t *r)
{
	for (int fd = 3; fd < 32; fd++)
		switch (hostile_random(r) % 6) {
		case 0: close(fd); break;
		case 1: dup2(3 + (int)(hostile_random(r) % 20), fd); break;
		default: break;
		}
}

/* ---- nonsense, and odd files, on all sockets ---- */

static int odd_file(uint64_t *r)
{
	int pair[2] = { -1, -1 }, fd = -1;

	switch (hostile_random(r) % 9) {
	case 0: fd = open("/dev/zero", O_RDWR | O_CLOEXEC); break;
	case 1:
		(void)!pipe2(pair, O_CLOEXEC); /* a pipe whose other end is closed */
		close(pair[1]);
		fd = pair[0];
		break;
	/* a memfd of another size than was said; it shrinks later */
	case 2:
		fd = memfd_create("odd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		(void)!ftruncate(fd, (off_t)(hostile_random(r) % 100000));
		break;
	case 3:
		fd = memfd_create("odd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		(void)!ftruncate(fd, (off_t)(hostile_random(r) % 100000));
		fcntl(fd, F_ADD_SEALS, (int)(hostile_random(r) & 15));
		break;
	case 4: fd = eventfd(0, EFD_CLOEXEC); break;
	case 5: fd = epoll_create1(EPOLL_CLOEXEC); break;
	case 6: /* a socket that is sent through itself */
		fd = loot.sockets_count ? dup(loot.sockets[hostile_random(r) % loot.sockets_count])
					: -1;
		break;
	case 7:
		(void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
		close(pair[1]);
		fd = pair[0];
		break;
	default: fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

static const uint8_t types[] = {
	MESSAGE_READY,
	MESSAGE_FINISHED,
	MESSAGE_SOCKET,
	MESSAGE_ESCAPED,
	MESSAGE_JOB_LOG,
	MESSAGE_PROGRESS,
	MESSAGE_LEFT,
	MESSAGE_BACK,
	MESSAGE_BACK,
	MESSAGE_BACK,
	MESSAGE_PROGRESS,
	MESSAGE_WITH,
	MESSAGE_VERDICT,
	MESSAGE_STOP,
	MESSAGE_LEASE_OVER,
	MESSAGE_JOB,
	MESSAGE_GRANTED,
};

/* Bytes of the frame itself, by a copy: memcpy() must not overlap. */
static void append_some(struct frame *f, size_t size)
{
	unsigned char copy[MESSAGE_ARG_MAX];

	memcpy(copy, f->bytes, size);
	frame_append(f, copy, size);
}

static void fill_frame(struct frame *f, uint64_t *r)
{
	uint64_t word = loot.page ? atomic_load(&loot.page->word) : 0,
		 sequence = SLOT_PAGE_SEQUENCE(word) + hostile_random(r) % 3 - 1;

	for (size_t i = 0; i + 8 <= f->header.size - sizeof f->header; i += 8) {
		uint64_t x = hostile_random(r) % 3 ? 0 : odd_number(r);

		memcpy(f->bytes + i, &x, 8);
	}
	switch (f->header.type) {
	case MESSAGE_FINISHED:
		f->finished.id = hostile_random(r) % 200;
		f->finished.sequence = sequence;
		f->finished.flags = hostile_random(r) % 16;
		f->finished.arg_size = 0;
		if (hostile_random(r) % 2)
			append_some(f, hostile_random(r) % MESSAGE_ARG_MAX);
		break;
	case MESSAGE_SOCKET:
		f->asked.socket.id = hostile_random(r) % 200;
		f->asked.socket.sequence = sequence;
		break;
	case MESSAGE_LEFT:
		f->left.id = hostile_random(r) % 200;
		f->left.sequence = sequence;
		break;
	case MESSAGE_BACK:
		f->side.sequence = sequence;
		f->side.flags = hostile_random(r) % 2 ? SIDE_MEMFD
			: hostile_random(r) % 2       ? SIDE_STREAM
						      : 0;
		f->side.extra = (uint32_t)(f->fds_count - (f->fds_count && f->side.flags));
		break;
	case MESSAGE_PROGRESS:
		f->progress.sequence = sequence;
		f->progress.size = hostile_random(r) % 2 ? (uint32_t)(hostile_random(r) % 300)
							 : (uint32_t)odd_number(r);
		break;
	default: break;
	}
}

static void send_frame(int fd, uint64_t *r)
{
	struct frame f;
	size_t files = hostile_random(r) % 3 ? 0 : hostile_random(r) % 31;

	frame_begin(&f, types[hostile_random(r) % sizeof types]);
	for (size_t i = 0; i < files; i++) {
		f.fds[f.fds_count] = odd_file(r);
		f.fds_count += f.fds[f.fds_count] >= 0;
	}
	fill_frame(&f, r);
	frame_send(fd, &f);
	for (size_t i = 0; i < f.fds_count; i++) {
		(void)!ftruncate(f.fds[i], 0); /* the memfd shrinks after it was sent */
		close(f.fds[i]);
	}
}

static void send_junk(int fd, uint64_t *r)
{
	unsigned char junk[3000];
	struct frame_header header = { FRAME_MAGIC, FRAME_VERSION,
		types[hostile_random(r) % sizeof types], (uint32_t)odd_number(r),
		(uint32_t)odd_number(r), 0 };
	size_t size = hostile_random(r) % sizeof junk;

	for (size_t i = 0; i < size; i++)
		junk[i] = (unsigned char)hostile_random(r);
	if (hostile_random(r) % 2)
		memcpy(junk, &header, sizeof header);
	send(fd, junk, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void talk_nonsense(uint64_t *r)
{
	for (unsigned i = 0, n = 1 + (unsigned)(hostile_random(r) % 20);
		i < n && loot.sockets_count; i++) {
		int fd = loot.sockets[hostile_random(r) % loot.sockets_count];

		if (hostile_random(r) % 4)
			send_frame(fd, r);
		else
			send_junk(fd, r);
	}
}

/* A completion whose fds match what it says, so that the engine accepts more of it. */
static void lie_well(uint64_t *r)
{
	struct ring_done *d;
	uint64_t sequence;
	struct frame f;

	if (!loot.up || !loot.page)
		return;
	sequence = SLOT_PAGE_SEQUENCE(atomic_load(&loot.page->word));
	frame_begin(&f, MESSAGE_BACK);
	f.side.sequence = sequence;
	f.side.flags = hostile_random(r) % 3 ? SIDE_MEMFD : SIDE_STREAM;
	f.fds[f.fds_count++] = odd_file(r);
	for (size_t i = 0; i < loot.sockets_count && f.fds[0] >= 0; i++)
		frame_send(loot.sockets[i], &f);
	d = &loot.up->dones[sequence % RING_DEPTH];
	*d = (struct ring_done){ .sequence = sequence,
		.began_ns = 1,
		.ended_ns = odd_number(r),
		.reply_size = hostile_random(r) % 2 ? 5000 : odd_number(r),
		.flags = f.side.flags & SIDE_STREAM ? DONE_STREAM : DONE_BACK | DONE_MEMFD };
	atomic_store(&loot.up->done, sequence);
	(void)!ftruncate(f.fds[0], 0);
	close(f.fds[0]);
	write_done_fds(r);
}

/* ---- all ---- */

typedef void act_fn(uint64_t *r);
static act_fn *const acts[] = { scribble, lie_about_jobs, flip_claims, lie_on_slot_page,
	scribble_beside, truncate_all, set_flags, write_done_fds, shut_sockets, close_some,
	talk_nonsense, lie_well };
#define ACTS (sizeof acts / sizeof acts[0])

void hostile_acts(uint64_t seed)
{
	struct hostile_shared *h = hostile_shared();
	uint64_t r = seed * 0x9e3779b97f4a7c15u | 1;

	atomic_store(&h->pids[atomic_fetch_add(&h->count, 1) % TAINTED], getpid());
	if (__sanitizer_set_report_fd)
		__sanitizer_set_report_fd((void *)(intptr_t)open("/dev/null", O_WRONLY));
	loot_find();
	for (unsigned i = 0, n = 1 + (unsigned)(hostile_random(&r) % 6); i < n; i++) {
		unsigned act = (unsigned)(hostile_random(&r) % ACTS);

		atomic_fetch_add(&h->acts[act], 1);
		acts[act](&r);
	}
}
