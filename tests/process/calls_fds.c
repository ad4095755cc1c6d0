/* SPDX-License-Identifier: MIT */
/*
 * calls_fds.c - open, give and call as a user makes them: sockets of the caller's own, and what
 * becomes of their fds.
 */
#include "../helpers/pool.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(calls, .timeout = 240);

static struct brood *brood;

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .log = note_log };

	brood = pool_start(&options);
}

/* ---- a socket of the caller's own ---- */

static void tcp_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(listener >= 0);
	CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(pair[0], (struct sockaddr *)&address, sizeof address), 0);
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(pair[1] >= 0);
	close(listener);
}

static int answers_without_reading(struct brood_job *job)
{
	static char page[100000];

	memset(page, 'p', sizeof page);
	return brood_job_write(job, page, sizeof page) == (ssize_t)sizeof page ? 0 : 1;
}

static void gives(void)
{
	struct brood_handle *h = NULL;
	struct brood_verdict v;
	static char page[200000];
	size_t got = 0;
	int pair[2], pipes[2];
	ssize_t n;

	start(1);
	tcp_pair(pair);
	CHECK_EQ(write(pair[0], "a request that nobody reads", 27), 27);
	CHECK_EQ(brood_give(brood, answers_without_reading, pair[1], NULL, &h), 0);
	CHECK_EQ(fcntl(pair[1], F_GETFD), -1); /* the fd belongs to the library, which closed it */
	while ((n = read(pair[0], page + got, sizeof page - got)) > 0)
		got += (size_t)n;
	CHECK_EQ(n, 0); /* EOF, and not a reset that loses the answer */
	CHECK_EQ(got, 100000);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	brood_release(h);
	close(pair[0]);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(brood_give(brood, job_echo, pipes[0], NULL, &h), -ENOTSOCK);
	CHECK(fcntl(pipes[0], F_GETFD) >= 0); /* on error the fd stays the caller's */
	CHECK_EQ(brood_give(brood, job_echo, -1, NULL, &h), -EBADF);
	pool_stop(brood);
}
Test(calls, gives_a_client) { case_run(gives, 30000); }

static int hands_over(struct brood_job *job)
{
	int fd = brood_job_take_fd(job);

	if (fork() == 0) {
		if (write(fd, "from the child", 14) != 14)
			_exit(1);
		_exit(0);
	}
	close(fd);
	return 0;
}

static void taken(void)
{
	struct brood_options options = {
		.workers = 1, .tolerate = BROOD_LEFT_CHILDREN, .log = note_log
	};
	struct brood_handle *h;
	struct brood_verdict v;
	char text[32];
	int fd;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, hands_over, NULL, &fd, &h), 0);
	CHECK_EQ(recv(fd, text, 14, MSG_WAITALL), 14);
	CHECK_MEM(text, "from the child", 14);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	brood_release(h);
	close(fd);
	pool_stop(brood);
}
Test(calls, fd_taken_over) { case_run(taken, 30000); }

/* ---- the engine's fds and the released handle ---- */

static void release_jobs(void)
{
	int fd;

	for (int i = 0; i < 200; i++) {
		struct brood_handle *h;

		CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, i % 2 ? NULL : &h), 0);
		if (i % 2 == 0)
			brood_release(h); /* nobody wants its verdict */
		close(fd);
		if (i % 8 == 0)
			CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	}
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && pool_stats(brood).dropped == 200, 10000));
}

static void released(void)
{
	struct brood_options options = {
		.workers = 2, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};
	int before;

	brood = pool_start(&options);
	POOL_CALL(brood, job_nothing);
	before = proc_own_fds();
	release_jobs();
	CHECK_EQ(proc_own_fds(), before);
	pool_stop(brood);
}

/* A lease has fds in the engine while it lasts: so many a worker and thread, not a job. */
static void released_on_lease(void)
{
	int before;

	start(2);
	brood_fd(brood);
	POOL_CALL(brood, job_nothing);
	before = proc_own_fds();
	release_jobs();
	CHECK_LE(proc_own_fds(), before + 24);
	pool_stop(brood);
}
Test(calls, released_handles)
{
	case_run(released, 30000);
	case_run(released_on_lease, 30000);
}
