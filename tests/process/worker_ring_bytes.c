/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_bytes.c - one worker on lease: replies that grow, move and spill; requests by memfd.
 * And the same helpers on jobs that were handed off.
 */
#define _GNU_SOURCE
#include "../../src/os/shm.h"
#include "../../src/worker/job.h"
#include "../../src/worker/worker_lease.h"
#include "worker_ring.h"
#include "worker_ring_pattern.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(worker_ring_bytes, .timeout = 120);

/* ---- replies ---- */

static void check_memfd(int fd, size_t size)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	struct stat st;
	void *data;

	CHECK_GE(fd, 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS) & seals, seals);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, size);
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED);
	check_pattern(data, size);
	munmap(data, size);
	close(fd);
}

static bool check_reply(struct wish w)
{
	struct ring_done d;
	struct frame f;

	fake_push(&ring, replies, &w, sizeof w);
	d = fake_done(&ring, 0);
	CHECK_EQ(d.reply_size, w.size);
	if (!(d.flags & DONE_MEMFD)) {
		CHECK_LE(w.size, RING_INLINE_MAX);
		if (w.size)
			check_pattern(fake_reply(&ring, &d), w.size);
		return false;
	}
	CHECK(d.flags & DONE_BACK);
	fake_side(&ring, &f, MESSAGE_BACK);
	CHECK_EQ(f.side.sequence, d.sequence);
	CHECK_EQ(f.side.flags, SIDE_MEMFD);
	CHECK_EQ(f.side.extra, 0);
	check_memfd(frame_take_fd(&f, 0), w.size);
	return true;
}

static void reply_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 4095, 4096, 65535, 65536, 65537, 100000,
		1 << 20, 5000001 };

	begin();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (size_t piece = 1; piece <= 1 << 20; piece *= 64)
			if (piece > 1 || sizes[i] < 100000)
				CHECK_EQ(check_reply((struct wish){ sizes[i], piece }),
					sizes[i] > RING_INLINE_MAX);
	/* round and round in the space: some pieces must move to its front */
	for (size_t i = 1; i < 400; i++)
		CHECK(!check_reply((struct wish){ 40000 + i * 13, 700 }));
	finish();
}
Test(worker_ring_bytes, replies_of_all_sizes) { case_run(reply_sizes, 60000); }

/*
 * An engine that collects nothing: the space fills, and the rest goes by memfd; nothing waits,
 * nothing is overwritten.
 */
static void full_space(void)
{
	struct wish w = { 30000, 7000 };
	uint64_t first;
	int spilled = 0, inside = 0;

	begin();
	ring.keep = true;
	first = ring.prepared + 1;
	for (int i = 0; i < 40; i++)
		fake_entry(&ring, replies, &w, sizeof w);
	fake_publish(&ring);
	fake_await(&ring, ring.published);
	for (uint64_t n = first; n <= ring.published; n++) {
		struct ring_done d;

		CHECK_EQ(collect_completion(ring.up, n, &d), 0);
		CHECK_EQ(d.reply_size, w.size);
		if (d.flags & DONE_MEMFD) {
			struct frame f;

			fake_side(&ring, &f, MESSAGE_BACK);
			CHECK_EQ(f.side.sequence, n);
			check_memfd(frame_take_fd(&f, 0), w.size);
			spilled++;
		} else {
			check_pattern(ring.up->bytes + d.reply_at, w.size);
			inside++;
		}
	}
	CHECK_EQ(inside, RING_UP_BYTES / 30016);
	CHECK_EQ(spilled, 40 - inside);
	ring.seen = ring.published;
	atomic_store(&ring.down->collected, ring.published);
	ring.keep = false;
	CHECK(!check_reply(w)); /* and now there is room again */
	finish();
}
Test(worker_ring_bytes, space_that_nobody_empties) { case_run(full_space, 30000); }

static int no_memory(struct brood_job *job)
{
	struct rlimit limit = { 0, 0 }, before;
	char data[70000] = { 0 };
	ssize_t n;

	getrlimit(RLIMIT_FSIZE, &before);
	limit.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	n = brood_job_write(job, data, sizeof data);
	setrlimit(RLIMIT_FSIZE, &before);
	return n == -EFBIG && brood_job_write(job, data, 1) == -EFBIG ? 5 : 1;
}

static void lost_reply(void)
{
	struct ring_done d;

	begin();
	fake_push(&ring, no_memory, NULL, 0);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.flags, DONE_NO_ROOM);
	CHECK_EQ(d.code, 5);
	CHECK_EQ(d.reply_size, 70000);
	CHECK(!check_reply((struct wish){ 100, 100 }));
	finish();
}
Test(worker_ring_bytes, reply_that_is_lost) { case_run(lost_reply, 20000); }

/* Progress leaves half of the link's buffer to what must not be lost. */
static int floods_and_replies(struct brood_job *job)
{
	char data[70000] = { 0 };
	int sent = 0;

	while (brood_job_progress(job, data, BROOD_PROGRESS_MAX) == 0)
		sent++;
	if (brood_job_progress(job, data, BROOD_PROGRESS_MAX) != -EAGAIN ||
		brood_job_progress(job, data, BROOD_PROGRESS_MAX + 1) != -EMSGSIZE ||
		brood_job_progress(job, NULL, 1) != -EINVAL)
		return 1;
	return brood_job_write(job, data, sizeof data) == sizeof data && sent > 0 ? 0 : 2;
}

/* Full all the same: BACK waits until the engine has read, and comes. */
static int fills_the_side_socket(struct brood_job *job)
{
	char data[70000] = { 0 };
	struct frame f;

	frame_begin(&f, MESSAGE_PROGRESS);
	f.progress.sequence = job->sequence;
	f.progress.size = BROOD_PROGRESS_MAX;
	while (frame_send(the_lease.side, &f) == 0)
		;
	return brood_job_write(job, data, sizeof data) == sizeof data ? 0 : 2;
}

static void full_side_socket(bool whole)
{
	struct frame f;
	int heard = 0;

	begin();
	fake_push(&ring, whole ? fills_the_side_socket : floods_and_replies, NULL, 0);
	CHECK(WAIT_UNTIL(SLOT_PAGE_STATE(fake_word(&fake)) == SLOT_PAGE_DONE, 10000));
	if (!whole)
		fake_await(&ring, ring.published);
	CHECK(fake_silent(&fake, 50));
	CHECK_EQ(atomic_load(&ring.up->done), whole ? 0 : ring.published);
	for (;;) {
		CHECK(WAIT_UNTIL(frame_receive(ring.side, &f, MSG_DONTWAIT) == 1, 10000));
		if (f.header.type == MESSAGE_BACK)
			break;
		CHECK_EQ(f.header.type, MESSAGE_PROGRESS);
		CHECK_EQ(f.progress.sequence, ring.published);
		CHECK_EQ(f.progress.size, BROOD_PROGRESS_MAX);
		heard++;
	}
	frame_done(&f);
	CHECK_GT(heard, 1);
	CHECK_EQ(fake_done(&ring, 0).reply_size, 70000);
	finish();
}
static void full_side_sockets(void)
{
	full_side_socket(false);
	full_side_socket(true);
}
Test(worker_ring_bytes, side_socket_that_is_full) { case_run(full_side_sockets, 30000); }

/* ---- requests ---- */

static int sums(struct brood_job *job)
{
	size_t size;
	const unsigned char *data = brood_job_request(job, &size);
	char c;

	if (!data || size != brood_job_request_size(job) || brood_job_read(job, &c, 1) != 0 ||
		brood_job_request(job, NULL) != (const void *)data)
		return 1;
	for (size_t i = 0; i < size; i++)
		if (data[i] != pattern(i))
			return 2;
	return 0;
}

static int reads(struct brood_job *job)
{
	unsigned char piece[5000];
	size_t at = 0;
	ssize_t n;

	while ((n = brood_job_read(job, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (piece[i] != pattern(at++))
				return 1;
	return n == 0 && at == brood_job_request_size(job) ? 0 : 2;
}

static unsigned char *patterned(size_t size)
{
	unsigned char *data = malloc(size);

	CHECK(data != NULL);
	for (size_t i = 0; i < size; i++)
		data[i] = pattern(i);
	return data;
}

static void memfd_requests(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	size_t size = 3000001;
	unsigned char *data = patterned(size);
	int fd = shm_memfd("request", data, size, &seals);

	begin();
	for (int i = 0; i < 20; i++) {
		struct ring_entry *e = fake_entry(&ring, i % 2 ? sums : reads, NULL, size);

		e->flags = RING_WITH | RING_MEMFD;
		fake_with(&ring, e->sequence, SIDE_MEMFD, &fd, 1);
		if (i == 10) /* withdrawn: what came with it is dropped */
			CHECK(ring_withdraw(ring.up->dones, e->sequence));
		fake_publish(&ring);
		if (i == 10) {
			fake_await(&ring, ring.published);
			ring.seen++;
			continue;
		}
		fake_done(&ring, 0);
	}
	for (size_t n = 0; n < 60000; n += 5003) {
		fake_push(&ring, sums, data, n);
		fake_done(&ring, 0);
		fake_push(&ring, reads, data, n);
		fake_done(&ring, 0);
	}
	finish();
}
Test(worker_ring_bytes, requests_by_memfd) { case_run(memfd_requests, 30000); }

static void unsealed(void)
{
	int fd = shm_memfd("request", "hello", 5, NULL);
	struct ring_entry *e;

	begin();
	e = fake_entry(&ring, sums, NULL, 5);
	e->flags = RING_WITH | RING_MEMFD;
	fake_with(&ring, e->sequence, SIDE_MEMFD, &fd, 1);
	fake_publish(&ring);
	CHECK_EQ(fake_exit_code(&fake), 75);
}
Test(worker_ring_bytes, request_that_is_not_sealed) { case_run(unsealed, 20000); }

/* Over a socket it is gathered, when its size is known. */
static void gathered(void)
{
	unsigned char *data = patterned(50000);

	fake_init(&fake);
	fake_start(&fake);
	for (size_t size = 0; size <= 50000; size += 25000) {
		fake_assign(&fake);
		if (size)
			CHECK_EQ(write(fake.peer, data, size), size);
		fake.request_size = size;
		fake_run(&fake, sums, NULL, 0);
		CHECK_EQ(fake_finished(&fake).code, 0);
	}
	fake_end(&fake);
}
Test(worker_ring_bytes, request_over_a_socket) { case_run(gathered, 20000); }

static int asks_in_vain(struct brood_job *job)
{
	char c;

	if (brood_job_request_size(job) == BROOD_SIZE_UNKNOWN)
		return brood_job_request(job, NULL) == NULL && errno == EINVAL ? 0 : 1;
	return brood_job_read(job, &c, 1) == 1 && brood_job_request(job, NULL) == NULL &&
			errno == EINVAL
		? 0
		: 2;
}

static int asks_too_late(struct brood_job *job)
{
	return brood_job_request(job, NULL) == NULL && errno == EPIPE ? 0 : 1;
}

static void no_request(void)
{
	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, asks_in_vain).code, 0);
	fake_assign(&fake);
	CHECK_EQ(write(fake.peer, "abc", 3), 3);
	fake.request_size = 3;
	fake_run(&fake, asks_in_vain, NULL, 0);
	CHECK_EQ(fake_finished(&fake).code, 0);
	fake_assign(&fake);
	CHECK_EQ(shutdown(fake.peer, SHUT_WR), 0);
	fake.request_size = 3;
	fake_run(&fake, asks_too_late, NULL, 0);
	CHECK_EQ(fake_finished(&fake).code, 0);
	fake_end(&fake);
}
Test(worker_ring_bytes, request_that_cannot_be_had) { case_run(no_request, 20000); }
