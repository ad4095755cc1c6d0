/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_fds.c - one worker on lease: fds that come with a job, and those that go back with
 * its reply. And the same on jobs that were handed off.
 */
#define _GNU_SOURCE
#include "../../src/worker/job.h"
#include "worker_ring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(worker_ring_bytes, .timeout = 120);

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
	fake_with(&ring, e->sequence, SIDE_SOCKET, fds, 3);
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
		fake_side(&ring, &f, MESSAGE_BACK);
		CHECK_EQ(f.side.extra, 2);
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
