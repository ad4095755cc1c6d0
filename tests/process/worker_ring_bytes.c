/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_bytes.c - one worker on lease: replies that grow, move and spill; requests by memfd;
 * fds there and back; progress, plugins, accounting. And the same helpers on jobs that were handed
 * off.
 */
#define _GNU_SOURCE
#include "../helpers/fake_ring.h"
#include "../../src/base/base.h"
#include "../../src/os/shm.h"
#include "../../src/worker/job.h"
#include "../../src/worker/worker_lease.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(worker_ring_bytes, .timeout = 120);

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define KEEPS_FREED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED 1
#elif !defined(KEEPS_FREED)
#define KEEPS_FREED 0
#endif

static struct fake fake;
static struct fake_ring ring;

static void begin(void)
{
	fake_init(&fake);
	fake_start(&fake);
	fake_lend(&fake, &ring);
}

static void finish(void)
{
	CHECK_EQ(fake_leave(&ring).flags, 0);
	fake_end(&fake);
}

static int nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}
static unsigned char pattern(size_t i) { return (unsigned char)(i ^ i >> 8 ^ i >> 16); }

/* ---- replies ---- */

/* Its request: how large, and in what pieces. */
struct wish {
	size_t size, piece;
};
static int replies(struct brood_job *job)
{
	struct wish w;
	unsigned char *data;

	if (brood_job_read_all(job, &w, sizeof w) != sizeof w)
		return 1;
	data = malloc(w.piece);
	for (size_t done = 0; data && done < w.size;) {
		size_t n = w.size - done < w.piece ? w.size - done : w.piece;

		for (size_t i = 0; i < n; i++)
			data[i] = pattern(done + i);
		if (brood_job_write(job, data, n) != (ssize_t)n)
			return 2;
		done += n;
	}
	free(data);
	return 0;
}

static void check_pattern(const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != pattern(i))
			FAIL("byte %zu of %zu: %u, %u", i, size, data[i], pattern(i));
}

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
	fake_link(&ring, &f, MESSAGE_BACK);
	CHECK_EQ(f.link.sequence, d.sequence);
	CHECK_EQ(f.link.flags, LINK_MEMFD);
	CHECK_EQ(f.link.extra, 0);
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
 * An engine that harvests nothing: the space fills, and the rest goes by memfd; nothing waits,
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

		CHECK_EQ(ring_done_get(ring.up, n, &d), 0);
		CHECK_EQ(d.reply_size, w.size);
		if (d.flags & DONE_MEMFD) {
			struct frame f;

			fake_link(&ring, &f, MESSAGE_BACK);
			CHECK_EQ(f.link.sequence, n);
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
	atomic_store(&ring.down->harvested, ring.published);
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
static int fills_the_link(struct brood_job *job)
{
	char data[70000] = { 0 };
	struct frame f;

	frame_begin(&f, MESSAGE_PROGRESS);
	f.progress.sequence = job->sequence;
	f.progress.size = BROOD_PROGRESS_MAX;
	while (frame_send(the_lease.link, &f) == 0)
		;
	return brood_job_write(job, data, sizeof data) == sizeof data ? 0 : 2;
}

static void full_link(bool whole)
{
	struct frame f;
	int heard = 0;

	begin();
	fake_push(&ring, whole ? fills_the_link : floods_and_replies, NULL, 0);
	CHECK(WAIT_UNTIL(DESK_STATE(fake_word(&fake)) == DESK_DONE, 10000));
	if (!whole)
		fake_await(&ring, ring.published);
	CHECK(fake_silent(&fake, 50));
	CHECK_EQ(atomic_load(&ring.up->done), whole ? 0 : ring.published);
	for (;;) {
		CHECK(WAIT_UNTIL(frame_receive(ring.link, &f, MSG_DONTWAIT) == 1, 10000));
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
static void full_links(void)
{
	full_link(false);
	full_link(true);
}
Test(worker_ring_bytes, link_that_is_full) { case_run(full_links, 30000); }

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
		fake_with(&ring, e->sequence, LINK_MEMFD, &fd, 1);
		if (i == 10) /* withdrawn: what came with it is dropped */
			CHECK(claim_swap(ring.up, e->sequence, CLAIM_WITHDRAWN));
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
	fake_with(&ring, e->sequence, LINK_MEMFD, &fd, 1);
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

/* ---- fds ---- */

static int uses_extra(struct brood_job *job)
{
	char text[16];
	size_t count = brood_job_extra_fds(job);

	if (brood_job_extra_fd(job, count) != -EINVAL ||
		brood_job_take_extra_fd(job, count) != -EINVAL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(text, sizeof text, "%zu", i);

		if (write(brood_job_extra_fd(job, i), text, (size_t)n) != n)
			return -2;
	}
	return (int)count;
}

static int answers_socket(struct brood_job *job)
{
	char c;

	if (brood_job_request(job, NULL) || errno != EINVAL || brood_job_read(job, &c, 1) != 1 ||
		c != 'q')
		return 1;
	return brood_job_reply(job, "a", 1) == 1 && fcntl(brood_job_fd(job), F_GETFD) >= 0 &&
			brood_job_reply_fds(job, &(int){ 1 }, 1) == -EINVAL
		? 0
		: 2;
}

static void extra_fds(void)
{
	int fds[BROOD_JOB_FDS_MAX + 1], pipes[2], pair[2];
	struct ring_entry *e;
	char text[256] = "";

	begin();
	CHECK_EQ(pipe(pipes), 0);
	for (int i = 0; i < BROOD_JOB_FDS_MAX; i++)
		fds[i] = pipes[1];
	for (uint32_t count = 0; count <= BROOD_JOB_FDS_MAX; count++) {
		e = fake_entry(&ring, uses_extra, NULL, 0);
		e->flags = count ? RING_WITH : 0;
		e->extra = count;
		if (count)
			fake_with(&ring, e->sequence, 0, fds, count);
		fake_publish(&ring);
		fake_done(&ring, (int)count);
		if (count)
			CHECK_GT(read(pipes[0], text, sizeof text), 0);
	}
	CHECK_MEM(text, "012345678910111213", 18);
	CHECK_EQ(sockets_pair(SOCK_STREAM, pair), 0);
	fds[0] = pair[1];
	e = fake_entry(&ring, answers_socket, NULL, BROOD_SIZE_UNKNOWN);
	e->flags = RING_WITH | RING_SOCKET;
	e->extra = 2;
	fake_with(&ring, e->sequence, LINK_SOCKET, fds, 3);
	CHECK_EQ(write(pair[0], "q", 1), 1);
	fake_publish(&ring);
	CHECK_EQ(read(pair[0], text, 2), 1);
	CHECK_EQ(read(pair[0], text + 1, 1), 0); /* EOF, though we hold a copy of its end */
	CHECK_EQ(text[0], 'a');
	fake_done(&ring, 0);
	finish();
}
Test(worker_ring_bytes, extra_fds_and_sockets) { case_run(extra_fds, 20000); }

static int takes_extra(struct brood_job *job) { return brood_job_take_extra_fd(job, 0) < 0; }

static void taken_extra(void)
{
	struct ring_entry *e;
	struct ring_done d;
	int one = 1;

	begin();
	e = fake_entry(&ring, takes_extra, NULL, 0);
	e->flags = RING_WITH;
	e->extra = 1;
	fake_with(&ring, e->sequence, 0, &one, 1);
	fake_publish(&ring);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.left, BROOD_LEFT_FDS);
	CHECK_EQ(d.flags, DONE_RETIRING);
	CHECK_EQ(fake_left(&ring).flags, FINISHED_RETIRING);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
Test(worker_ring_bytes, extra_fd_taken) { case_run(taken_extra, 20000); }

/* They did not come: not begun, and a worker that is of no more use. */
static void fds_lost(void)
{
	struct ring_done d;
	int one = 1;

	for (int how = 0; how < 2; how++) {
		struct ring_entry *e;

		begin();
		e = fake_entry(&ring, nothing, NULL, 0);
		e->flags = RING_WITH;
		e->extra = 2;
		if (how)
			fake_with(&ring, e->sequence, 0, &one, 1);
		fake_publish(&ring);
		d = fake_done_raw(&ring);
		CHECK_EQ(d.flags, DONE_NO_FD | DONE_RETIRING);
		CHECK_EQ(fake_left(&ring).flags, FINISHED_RETIRING | FINISHED_NO_FD);
		CHECK_EQ(fake_exit_code(&fake), 0);
	}
}
Test(worker_ring_bytes, fds_that_did_not_come) { case_run(fds_lost, 20000); }

static int sends_back(struct brood_job *job)
{
	int fds[BROOD_JOB_FDS_MAX], bad[2] = { 1, 999 };

	if (pipe(fds) < 0 || write(fds[1], "mine", 4) != 4)
		return 1;
	if (brood_job_reply_fds(job, bad, 2) != -EBADF ||
		brood_job_reply_fds(job, NULL, 1) != -EINVAL ||
		brood_job_reply_fds(job, fds, BROOD_JOB_FDS_MAX + 1) != -E2BIG)
		return 2;
	if (brood_job_reply_fds(job, fds, 1) != 0 || brood_job_reply_fds(job, fds + 1, 1) != 0 ||
		brood_job_reply_fds(job, NULL, 0) != 0)
		return 3;
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < BROOD_JOB_FDS_MAX; i++)
		fds[i] = 1;
	return brood_job_reply_fds(job, fds, BROOD_JOB_FDS_MAX - 1) == -E2BIG &&
			brood_job_write(job, "with", 4) == 4
		? 7
		: 4;
}

static void check_pipe(struct frame *f, size_t first)
{
	int from = frame_take_fd(f, first), to = frame_take_fd(f, first + 1);
	char text[8];

	CHECK_EQ(read(from, text, sizeof text), 4);
	CHECK_MEM(text, "mine", 4);
	CHECK_EQ(write(to, "x", 1), 1);
	close(from);
	close(to);
}

static void fds_back(void)
{
	struct ring_done d;
	struct frame f;

	begin();
	for (int i = 0; i < 5; i++) {
		fake_push(&ring, sends_back, NULL, 0);
		d = fake_done(&ring, 7);
		CHECK_EQ(d.extra, 2);
		CHECK_EQ(d.flags, DONE_BACK);
		fake_link(&ring, &f, MESSAGE_BACK);
		CHECK_EQ(f.link.extra, 2);
		CHECK_EQ(f.header.fds, 2);
		check_pipe(&f, 0);
		CHECK_MEM(fake_reply(&ring, &d), "with", 4);
	}
	finish();
	fake_start(&fake); /* handed off: with FINISHED */
	for (int i = 0; i < 5; i++) {
		fake_assign(&fake);
		fake.request_size = 0;
		fake_run(&fake, sends_back, NULL, 0);
		fake_hear(&fake, &f, MESSAGE_FINISHED);
		CHECK_EQ(f.finished.code, 7);
		CHECK_EQ(f.finished.left, 0);
		CHECK_EQ(f.header.fds, 2);
		check_pipe(&f, 0);
		fake_forget(&fake);
	}
	fake_end(&fake);
}
Test(worker_ring_bytes, fds_with_the_reply) { case_run(fds_back, 20000); }

/* Handed off: RUN carries the socket and the others. */
static void handed_extra(void)
{
	char text[8];
	int pipes[2];

	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(pipe(pipes), 0);
	fake_assign(&fake);
	fake.extra[0] = fake.extra[1] = fake.extra[2] = pipes[1];
	fake.extra_count = 3;
	fake_run(&fake, uses_extra, NULL, 0);
	CHECK_EQ(fake_finished(&fake).code, 3);
	CHECK_EQ(read(pipes[0], text, sizeof text), 3);
	CHECK_MEM(text, "012", 3);
	fake_end(&fake);
}
Test(worker_ring_bytes, extra_fds_handed_off) { case_run(handed_extra, 20000); }

/* ---- progress, plugins, accounting ---- */

static int progresses(struct brood_job *job)
{
	return brood_job_progress(job, "half", 4) | brood_job_progress(job, NULL, 0) |
		brood_job_log(job, BROOD_INFO, "at work");
}

static void progress(void)
{
	struct frame f;

	begin();
	fake_push(&ring, progresses, NULL, 0);
	fake_done(&ring, 0);
	fake_link(&ring, &f, MESSAGE_PROGRESS);
	CHECK_EQ(f.progress.sequence, ring.published);
	CHECK_EQ(f.progress.id, fake.id);
	CHECK_EQ(f.progress.size, 4);
	CHECK_MEM(f.progress.data, "half", 4);
	fake_link(&ring, &f, MESSAGE_PROGRESS);
	CHECK_EQ(f.progress.size, 0);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_EQ(f.job_log.id, fake.id);
	CHECK_EQ(fake_leave(&ring).flags, 0);
	fake_assign(&fake);
	fake_run(&fake, progresses, NULL, 0);
	fake_hear(&fake, &f, MESSAGE_PROGRESS);
	CHECK_EQ(f.progress.id, fake.id);
	CHECK_EQ(f.progress.sequence, fake.sequence);
	CHECK_MEM(f.progress.data, "half", 4);
	fake_hear(&fake, &f, MESSAGE_PROGRESS);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_EQ(fake_finished(&fake).code, 0);
	fake_end(&fake);
}
Test(worker_ring_bytes, progress) { case_run(progress, 20000); }

/* The path of the C library: a shared object with a function that we know. */
static int find_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so") && !strstr(info->dlpi_name, "/libc-"))
		return 0;
	snprintf(path, 512, "%s", info->dlpi_name);
	return 1;
}

static size_t plugin_text(char *text, const char *path, const char *symbol)
{
	size_t size = strlen(path) + 1;

	memcpy(text, path, size);
	memcpy(text + size, symbol, strlen(symbol) + 1);
	return size + strlen(symbol) + 1;
}

static struct ring_done push_plugin(const char *text, size_t size)
{
	struct ring_entry *e = fake_entry(&ring, NULL, NULL, 0);

	fake_entry_arg(&ring, e, text, size, size);
	fake_publish(&ring);
	return fake_done_raw(&ring);
}

static void refused_plugin(const char *text, size_t size, const char *why)
{
	struct frame f;

	CHECK_EQ(push_plugin(text, size).flags, DONE_NO_PLUGIN);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_CONTAINS(f.job_log.text, why);
	CHECK_EQ(f.job_log.id, fake.id);
}

static void plugins(void)
{
	char path[512] = "", text[1024];
	size_t size;
	struct frame f;

	dl_iterate_phdr(find_libc, path);
	CHECK_EQ(path[0], '/');
	begin();
	size = plugin_text(text, path, "getpid");
	for (int i = 0; i < 10; i++)
		CHECK_EQ(push_plugin(text, size).code, fake.pid);
	CHECK_EQ(push_plugin(text, size).left, 0);
	refused_plugin(text, plugin_text(text, path, "brood_no_such"), "no brood_no_such in");
	refused_plugin(text, plugin_text(text, "/no/such.so", "f"), "/no/such.so");
	refused_plugin(text, plugin_text(text, "libc.so.6", "getpid"), "a path from the root");
	refused_plugin("/a\0b", 4, "a path from the root"); /* its end is missing */
	refused_plugin("/a", 3, "a path from the root");
	fake_ring_job(&ring, nothing, 0);
	CHECK_EQ(fake_leave(&ring).flags, 0);
	size = plugin_text(text, path, "getppid");
	fake_assign(&fake);
	fake.plugin_size = (uint32_t)size;
	fake_run(&fake, NULL, text, size);
	CHECK_EQ(fake_finished(&fake).code, getpid());
	size = plugin_text(text, "/no/such.so", "f");
	fake_assign(&fake);
	fake.plugin_size = (uint32_t)size;
	fake_run(&fake, NULL, text, size);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_EQ(fake_finished(&fake).flags, FINISHED_NO_PLUGIN);
	fake_end(&fake);
}
Test(worker_ring_bytes, plugins) { case_run(plugins, 20000); }

static int burns(struct brood_job *job)
{
	uint64_t until = now_ns() + 20 * NS_PER_MS;

	(void)job;
	while (now_ns() < until)
		;
	return 0;
}

static int fills(struct brood_job *job)
{
	size_t size = 24 << 20;
	volatile char *memory = malloc(size);

	(void)job;
	for (size_t i = 0; memory && i < size; i += 512)
		memory[i] = 1;
	free((void *)(uintptr_t)memory);
	return memory ? 0 : 1;
}

static void accounts(void)
{
	struct ring_done d;
	uint64_t little;

	fake_init(&fake);
	fake.options.flags = BROOD_ACCOUNT_CPU | BROOD_ACCOUNT_MEMORY;
	fake_start(&fake);
	fake_lend(&fake, &ring);
	d = fake_ring_job(&ring, burns, 0);
	CHECK_GT(d.cpu_us, 0);
	CHECK_LE(d.cpu_us, (d.ended_ns - d.began_ns) / 1000 + 1000);
	little = d.peak_kb;
	CHECK_GT(little, 0);
	d = fake_ring_job(&ring, fills, 0);
	CHECK_GT(d.peak_kb, little + 20000);
	d = fake_ring_job(&ring, nothing, 0);
	if (!KEEPS_FREED)
		CHECK_LT(d.peak_kb, little + 15000); /* of this job, not of the one before */
	CHECK_EQ(fake_leave(&ring).left, 0);
	CHECK_GT(fake_job(&fake, burns).cpu_us, 0);
	CHECK_GT(fake_job(&fake, nothing).peak_kb, 0);
	fake_end(&fake);
}
Test(worker_ring_bytes, accounting) { case_run(accounts, 30000); }
