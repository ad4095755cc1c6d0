/* SPDX-License-Identifier: MIT */
/*
 * closing.c - supervisor and engine never wait in close(). A client with a linger time and unsent
 * bytes holds nobody up, whoever closes the last copy. And the library never writes into a file of
 * the program that has the number of an fd which the library remembers.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(closing, .timeout = 120);

#define LINGER_S 8
#define SOON_MS  4000 /* far less than the linger time */

static struct brood *brood;

/*
 * A client with a linger time, connected to *ret_peer. The peer does not read, so bytes are unsent.
 */
static int lingering(int *ret_peer)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger linger = { 1, LINGER_S };
	socklen_t length = sizeof a;
	static char junk[65536];
	int small = 4096, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	bind(listener, (struct sockaddr *)&a, length);
	listen(listener, 5);
	getsockname(listener, (struct sockaddr *)&a, &length);
	*ret_peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(*ret_peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	CHECK_EQ(connect(*ret_peer, (struct sockaddr *)&a, length), 0);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	while (send(fd, junk, sizeof junk, MSG_DONTWAIT) > 0)
		;
	return fd;
}

static uint64_t began;

static void at_once(const char *what)
{
	uint64_t took = test_now_ms() - began;

	CHECK_MSG(took < SOON_MS, "%s took %d ms", what, (int)took);
}

/* ---- the supervisor has the last copy of an extra descriptor ---- */

static void refused(void)
{
	struct brood_options options = { .workers = 1, .drain_ms = 200, .run_ms = 20000 };
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_HANDOFF }, late = o;
	struct brood_handle *runs, *waits;
	struct brood_verdict v;
	int fd[2], peer, client;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, job_until_cancelled, &o, &fd[0], &runs), 0);
	client = lingering(&peer);
	late.fds = &client;
	late.fds_count = 1;
	late.queue_ms = 50;
	CHECK_EQ(brood_open(brood, job_until_cancelled, &late, &fd[1], &waits), 0);
	close(fd[1]);
	began = test_now_ms();
	/* not the last copy: no wait */
	CHECK_EQ(syscall(SYS_close_range, client, client, 0), 0);
	CHECK_EQ(brood_wait(waits, 20000, &v), 0);
	CHECK_EQ(v.detail, BROOD_DETAIL_QUEUE_TIME);
	/* the supervisor still reads its messages and acts */
	CHECK_EQ(brood_cancel(brood, brood_id(runs)), 0);
	CHECK_EQ(brood_wait(runs, 20000, &v), 0);
	at_once("the refusal and the next cancel");
	brood_release(waits);
	brood_release(runs);
	close(fd[0]);
	close(peer);
	pool_stop(brood);
}
Test(closing, a_refused_one_blocks_nobody) { case_run(refused, 30000); }

/* ---- the engine has the last copy of what came with a reply ---- */

static int sends_back(struct brood_job *job)
{
	int fds[2], r;

	fds[1] = lingering(&fds[0]);
	r = brood_job_reply_fds(job, fds, 2);
	syscall(SYS_close_range, fds[0], fds[0], 0);
	close(fds[1]);
	return r;
}

static void unwanted(void)
{
	struct brood_options options = { .workers = 2, .drain_ms = 200, .run_ms = 20000 };

	brood = pool_start(&options);
	for (uint32_t path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_job_options o = { .size = sizeof o, .dispatch = path };
		const struct brood_result *result;
		struct brood_verdict v;
		char line[400];
		int peer = -1;

		o.ret_fds = &peer;
		o.ret_fds_room = 1; /* the peer; the client that lingers is closed */
		began = test_now_ms();
		CHECK_EQ(brood_call(brood, sends_back, "", 0, NULL, 0, &o, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		brood_verdict_format(&v, line, sizeof line);
		at_once(line);
		close(peer);
		o.ret_fds_room = 0;
		o.ret_fds = NULL;
		CHECK_EQ(brood_submit(brood, sends_back, NULL, 0, &o, NULL), 0);
		CHECK_EQ(brood_queue_wait(brood_own_queue(brood), 20000), 1);
		CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
		result->fds[0] = -1; /* the peer stays open, so the client still lingers */
		CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 0);
		at_once("a result that nobody takes the descriptors of");
	}
	pool_stop(brood);
}
Test(closing, unwanted_ones_of_a_reply_block_nobody) { case_run(unwanted, 30000); }

/* ---- after the stop ---- */

/*
 * A helper waits before it closes what a worker may still have. brood_stop() must not return
 * earlier: the program would count descriptors as its own that are not.
 */
static void nothing_waits(void)
{
	struct brood_options options = { .workers = 2 };
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_verdict v;

	brood = pool_start(&options);
	/* The peer of the client that lingers is closed with it, so its close() does not block. */
	CHECK_EQ(brood_call(brood, sends_back, "", 0, NULL, 0, &o, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	pool_stop(brood);
	for (int fd = 3; fd < 256; fd++) {
		socklen_t size = sizeof(int);
		int domain = AF_UNSPEC;

		getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
		CHECK_MSG(domain != AF_INET, "the client is open still, as %d", fd);
	}
}
Test(closing, the_stop_leaves_no_descriptor_to_helpers) { case_run(nothing_waits, 30000); }

/* ---- the program closes all, and opens a file of its own ---- */

static int answers(struct brood_job *job) { return brood_job_reply(job, "ok", 2) != 2; }

static void closes_all(void)
{
	struct brood_options options = { .workers = 2, .drain_ms = 200 };
	struct brood_queue *own;
	int file = memfd_create("the program's own", 0);
	struct stat st;
	char reply[8];

	brood = pool_start(&options);
	own = brood_own_queue(brood);
	for (uint32_t i = 0; i < 12; i++) {
		struct brood_job_options o = {
			.size = sizeof o, .dispatch = i % 3, .queue_ms = 200
		};
		struct brood_handle *handle;
		int fd;

		if (i == 6) {
			CHECK_EQ(dup2(file, 3), 3);
			syscall(SYS_close_range, 4, ~0u, 0);
			for (int k = 0; k < 80; k++)
				fcntl(3, F_DUPFD_CLOEXEC, 4);
		}
		brood_call(brood, answers, "a", 1, reply, sizeof reply, &o, NULL);
		brood_submit(brood, answers, "a", 1, &o, NULL);
		brood_dispatch(brood);
		brood_queue_wait(own, 20);
		if (brood_open(brood, answers, &o, &fd, &handle) == 0) {
			brood_wait(handle, 100, NULL);
			brood_release(handle);
		}
	}
	brood_stop(brood);
	if (fstat(3, &st) < 0 || st.st_size != 0 || lseek(3, 0, SEEK_CUR) != 0)
		*(int *)case_shared() = (int)st.st_size + 1;
	_exit(0);
}

Test(closing, nothing_is_written_into_the_programs_file)
{
	struct case_options options = { .body = closes_all, .timeout_ms = 30000 };
	struct case_result r;

	case_try(&options, &r);
	cr_assert_eq(*(int *)case_shared(), 0, "the file has %d bytes", *(int *)case_shared() - 1);
	cr_assert(!r.expired && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0 && r.left == 0,
		"%d %x: %s", r.expired, r.status, r.text);
}
