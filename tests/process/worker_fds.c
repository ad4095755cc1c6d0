/* SPDX-License-Identifier: MIT */
/*
 * worker_fds.c - one worker: the socket of its job, which the job may close, take or replace; and
 * its own channel, which a job may damage.
 */
#define _GNU_SOURCE
#include "worker.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(worker, .timeout = 60);

/* ---- the job's socket ---- */

static int replies(struct brood_job *job)
{
	size_t size;
	const void *arg = brood_job_arg(job, &size);

	return brood_job_write(job, arg, size) == (ssize_t)size && brood_job_reply(job, "!", 1) == 1
		? (int)((uintptr_t)arg % 16)
		: 1;
}

static void reply_and_end(void)
{
	char text[64];

	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	CHECK_EQ(write(fake.peer, "surplus that nobody reads", 25), 25);
	fake_run(&fake, replies, "hello", 5);
	/* then EOF, no ECONNRESET, though we keep a copy of its end */
	CHECK_EQ(fake_read(&fake, text, sizeof text), 6);
	CHECK_MEM(text, "hello!", 6);
	CHECK_EQ(fake_finished(&fake).code, 0);
	fake_end(&fake);
}
Test(worker, reply_then_end_of_file) { case_run(reply_and_end, 20000); }

static int closes(struct brood_job *job) { return close(brood_job_fd(job)); }
static int takes(struct brood_job *job)
{
	return brood_job_take_fd(job) == brood_job_fd(job) ? 0 : 1;
}

/* A file of the job's own under the number of its socket: not ours to shut down. */
static int replaces(struct brood_job *job)
{
	int fd = brood_job_fd(job), pair[2];

	if (close(fd) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	if (dup2(pair[0], fd) < 0)
		return 2;
	if (pair[0] != fd)
		close(pair[0]);
	return write(pair[1], "x", 1) == 1 ? 0 : 3;
}

static void fd_games(void)
{
	struct message_finished m;

	fake_init(&fake);
	fake_start(&fake);
	m = fake_job(&fake, closes);
	CHECK_EQ(m.code, 0);
	CHECK_EQ(m.left, 0);
	m = fake_job(&fake, takes);
	CHECK_EQ(m.left, BROOD_LEFT_FDS);
	CHECK_EQ(m.flags, FINISHED_RETIRING);
	CHECK_EQ(fake_exit_code(&fake), 0);
	fake_start(&fake);
	m = fake_job(&fake, replaces);
	CHECK_EQ(m.code, 0);
	CHECK_EQ(m.left, BROOD_LEFT_FDS);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
Test(worker, socket_closed_taken_or_replaced) { case_run(fd_games, 20000); }

static int channel_number(void)
{
	struct stat st;

	for (int fd = 3; fd < 64; fd++)
		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
			int type;
			socklen_t size = sizeof type;

			if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
				type == SOCK_SEQPACKET)
				return fd;
		}
	return -1;
}
static int closes_channel(struct brood_job *job)
{
	(void)job;
	return close(channel_number());
}
static int covers_channel(struct brood_job *job)
{
	(void)job;
	return dup2(1, channel_number()) < 0;
}
static int stranger[2];
static int covers_channel_with_socket(struct brood_job *job)
{
	int channel = channel_number();

	(void)job;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, stranger) < 0 ||
		dup2(stranger[0], channel) < 0;
}
static int unblocks_channel(struct brood_job *job)
{
	(void)job;
	return fcntl(channel_number(), F_SETFL, O_NONBLOCK | O_RDWR);
}

static void channel_games(void)
{
	static brood_fn *const games[] = { closes_channel, covers_channel,
		covers_channel_with_socket };

	for (size_t i = 0; i < 3; i++) {
		fake_init(&fake);
		fake_start(&fake);
		fake_assign(&fake);
		fake_run(&fake, games[i], NULL, 0);
		CHECK_MSG(fake_exit_code(&fake) == 72, "game %zu", i);
	}
	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, unblocks_channel).code, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(fake_job(&fake, nothing).code, 0);
	fake_end(&fake);
}
Test(worker, channel_damaged_by_a_job) { case_run(channel_games, 20000); }

/* ---- worker_init, which may damage the channel, too ---- */

static int init_covers_channel(void *context)
{
	return dup2(stranger[0], channel_number()) < 0 ? 99 : *(const int *)context;
}

/* Nothing of the library's goes into the file that has the channel's number now. */
static void init_games(void)
{
	static const int results[] = { 0, 3 };
	char byte;

	for (size_t i = 0; i < 2; i++) {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, stranger), 0);
		fake_init(&fake);
		fake.options.worker_init = init_covers_channel;
		fake.options.hook_context = (void *)(uintptr_t)&results[i];
		fake.options.keep_fds = stranger;
		fake.options.keep_fds_count = 1;
		fake_birth(&fake);
		close(stranger[0]);
		CHECK_EQ(read(stranger[1], &byte, 1), 0);
		CHECK_EQ(fake_exit_code(&fake), results[i] ? 71 : 72);
		close(stranger[1]);
	}
}
Test(worker, channel_damaged_by_worker_init) { case_run(init_games, 20000); }
