/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_large.c - one worker on lease, and calls with large bytes: those that do not fit into
 * the ring go over a socket, where a thread of the engine waits for the job.
 */
#define _GNU_SOURCE
#include "../../src/base/base.h"
#include "../../src/os/sockets.h"
#include "../../src/worker/worker_lease.h"
#include "worker_ring.h"
#include "worker_ring_pattern.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(worker_ring_large, .timeout = 120);

static int echoes(struct brood_job *job)
{
	static unsigned char data[3 << 20];
	ssize_t n = brood_job_read_all(job, data, sizeof data);

	if (brood_job_fd(job) != -ENOTSOCK || brood_job_take_fd(job) != -ENOTSOCK)
		return 1;
	return n >= 0 && brood_job_write(job, data, (size_t)n) == n ? 0 : 2;
}

static void read_stream(int fd, size_t size)
{
	unsigned char *data = malloc(size);

	CHECK(data);
	for (size_t at = 0; at < size;) {
		ssize_t n = recv(fd, data + at, size - at, 0);

		CHECK_GT(n, 0);
		at += (size_t)n;
	}
	check_pattern(data, size);
	free(data);
}

/* The worker sends a socket as soon as the reply is too large for the ring, and not before. */
static void reply_stream(size_t size)
{
	struct wish w = { size, 5000 };
	struct ring_done d;
	struct frame f;
	int fd;

	fake_entry(&ring, replies, &w, sizeof w)->flags |= RING_CALL;
	fake_publish(&ring);
	fake_side(&ring, &f, MESSAGE_BACK);
	CHECK_EQ(f.side.flags, SIDE_STREAM);
	CHECK_EQ(f.side.sequence, ring.published);
	CHECK_EQ(f.fds_count, 1);
	fd = frame_take_fd(&f, 0);
	read_stream(fd, size);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.flags, DONE_STREAM);
	CHECK_EQ(d.code, 0);
	CHECK_EQ(d.left, 0);
	CHECK_EQ(d.reply_size, size);
	fake_reply(&ring, &(struct ring_done){ 0 });
	CHECK_EQ(recv(fd, &w, 1, 0), 0); /* the worker has closed it */
	close(fd);
}

/* Request and reply on one socket. */
static void request_stream(size_t size)
{
	struct ring_entry *e = fake_entry(&ring, echoes, NULL, 0);
	unsigned char *data = malloc(size);
	struct ring_done d;
	int pair[2];

	CHECK(data);
	for (size_t i = 0; i < size; i++)
		data[i] = pattern(i);
	CHECK_EQ(sockets_pair(SOCK_STREAM, pair), 0);
	e->flags |= RING_WITH | RING_STREAM | RING_CALL;
	e->request_size = size;
	fake_with(&ring, e->sequence, SIDE_STREAM, &pair[1], 1);
	close(pair[1]);
	fake_publish(&ring);
	for (size_t at = 0; at < size;) {
		ssize_t n = send(pair[0], data + at, size - at, MSG_NOSIGNAL);

		CHECK_GT(n, 0);
		at += (size_t)n;
	}
	shutdown(pair[0], SHUT_WR);
	read_stream(pair[0], size);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.flags, DONE_STREAM);
	CHECK_EQ(d.code, 0);
	CHECK_EQ(d.left, 0);
	CHECK_EQ(d.reply_size, size);
	fake_reply(&ring, &(struct ring_done){ 0 });
	close(pair[0]);
	free(data);
}

static void streams(void)
{
	static const size_t sizes[] = { RING_INLINE_MAX + 1, 300000, 3 << 20 };

	begin();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		reply_stream(sizes[i]);
		request_stream(sizes[i]);
	}
	fake_ring_job(&ring, nothing, 0);
	finish();
}
Test(worker_ring_large, bytes_of_a_call_go_over_a_socket) { case_run(streams, 60000); }
