/* SPDX-License-Identifier: MIT */
/*
 * odd_fds.c - programs with odd files: closed standard fds, a client whose number is 0, an engine
 * that closes all its files or uses their numbers again.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(odd, .timeout = 240);

static struct brood *brood;

/* ---- SIGCHLD inherited as ignored ---- */

static int exits_with_3(struct brood_job *job)
{
	(void)job;
	exit(3);
}

/* ---- standard fds that are closed ---- */

static void without(const int *closed, size_t count)
{
	struct brood_options options = { .workers = 2 };
	char reply[5];
	int fd;

	for (size_t i = 0; i < count; i++)
		close(closed[i]);
	brood = pool_start(&options);
	for (size_t i = 0; i < count; i++)
		CHECK_EQ(fcntl(closed[i], F_GETFD), -1);
	/* the engine's own sockets have these numbers now */
	for (int i = 0; i < 10; i++) {
		struct brood_handle *h;
		struct brood_verdict v;

		CHECK_EQ(brood_call(brood, job_echo, "hello", 5, reply, sizeof reply, NULL, &v), 5);
		CHECK_MEM(reply, "hello", 5);
		CHECK_EQ(brood_open(brood, job_echo, NULL, &fd, &h), 0);
		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_EQ(read(fd, reply, 1), 1);
		close(fd);
		CHECK_EQ(brood_wait(h, 10000, &v), 0);
		brood_release(h);
		/* and log lines go to no other socket */
		CHECK_EQ(POOL_CALL(brood, exits_with_3).outcome, BROOD_EXITED);
	}
	CHECK_EQ(brood_set_init_data(brood, "data", 4, NULL, 0), 1);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
	for (size_t i = 0; i < count; i++)
		CHECK_EQ(fcntl(closed[i], F_GETFD), -1);
}
static void without_0(void) { without((int[]){ 0 }, 1); }
static void without_2(void) { without((int[]){ 2 }, 1); }
static void without_any(void) { without((int[]){ 0, 1, 2 }, 3); }
Test(odd, fd_0_closed) { case_run(without_0, 20000); }
Test(odd, fd_2_closed) { case_run(without_2, 20000); }
Test(odd, fds_0_to_2_closed) { case_run(without_any, 20000); }

/* A client whose number is 0 is like any other. */
static void gives_fd_0(void)
{
	struct brood_options options = { .workers = 1 };
	struct brood_handle *h;
	struct brood_verdict v;
	int pair[2];
	char c;

	close(0);
	brood = pool_start(&options);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(pair[0], 0);
	CHECK_EQ(brood_give(brood, job_echo, pair[0], NULL, &h), 0);
	CHECK_EQ(fcntl(0, F_GETFD), -1);
	CHECK_EQ(write(pair[1], "q", 1), 1);
	CHECK_EQ(read(pair[1], &c, 1), 1);
	CHECK_EQ(c, 'q');
	close(pair[1]);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	brood_release(h);
	pool_stop(brood);
}
Test(odd, client_with_number_0) { case_run(gives_fd_0, 20000); }

/* ---- an engine that closes all its fds, as daemon code does ---- */

static void close_all(void)
{
	if (syscall(SYS_close_range, 3u, ~0u, 0u) < 0)
		for (int fd = 3; fd < 4096; fd++)
			close(fd);
}

static void closes_all(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_handle *h;
	struct brood_verdict v;
	int fd;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, job_until_cancelled, NULL, &fd, &h), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 1, 5000));
	for (int i = 0; i < 8; i++) /* so this thread has a lease */
		CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), 0);
	close_all();
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_LOST, BROOD_DETAIL_CHANNEL);
	brood_release(h);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), -ENOTCONN);
		verdict_is(&v, BROOD_LOST, BROOD_DETAIL_CHANNEL);
	}
	CHECK_CONTAINS(brood_error(), "supervisor");
	CHECK_EQ(brood_dispatch(brood), -ENOTCONN);
	CHECK_EQ(brood_cancel(brood, 1), -ENOENT);
	/* the supervisor has noticed and acted */
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 0, 10000));
	CHECK_LE(brood_stop(brood), 0);
}
Test(odd, engine_that_closes_all_its_fds) { case_run(closes_all, 20000); }

/*
 * Then it opens files of its own, which get the numbers of the library's: the library writes no
 * byte to them, takes none from them, and closes none.
 */
static void reuses_numbers(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	int pairs[16][2], types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM }, fd;
	struct brood_handle *h;
	struct brood_verdict v;
	char c;

	brood = pool_start(&options);
	brood_fd(brood);
	close_all();
	for (int i = 0; i < 16; i++) {
		CHECK_EQ(socketpair(AF_UNIX, types[i % 3], 0, pairs[i]), 0);
		CHECK_EQ(send(pairs[i][0], "mine", 4, 0), 4);
		CHECK_EQ(send(pairs[i][1], "mine", 4, 0), 4);
	}
	CHECK_LT(brood_open(brood, job_nothing, NULL, &fd, &h), 0);
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), -ENOTCONN);
	verdict_is(&v, BROOD_LOST, BROOD_DETAIL_CHANNEL);
	brood_dispatch(brood);
	brood_wait_ready(brood, 0);
	CHECK_LE(brood_stop(brood), 0);
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 2; k++) {
			char text[8];

			CHECK_EQ(recv(pairs[i][k], text, sizeof text, MSG_DONTWAIT), 4);
			CHECK_MEM(text, "mine", 4);
			CHECK_EQ(recv(pairs[i][k], &c, 1, MSG_DONTWAIT), -1);
			CHECK_MSG(errno == EAGAIN, "pair %d: errno %d", i, errno);
		}
}
Test(odd, engine_that_reuses_the_numbers) { case_run(reuses_numbers, 30000); }
