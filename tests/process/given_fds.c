/* SPDX-License-Identifier: MIT */
/*
 * given_fds.c - the engine keeps no copy of the fds that it gave to a job: the reader of the other
 * end sees its end when the job is over, without any call of the library. What no worker has read
 * comes back: the job goes to another worker, or its fds are closed with its verdict.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(given_fds, .timeout = 120);

static struct brood *brood;

static void start(uint32_t workers)
{
	struct brood_options options = {
		.workers = workers, .run_ms = 20000, .grace_ms = 30, .flags = BROOD_NO_CORE
	};

	brood = pool_start(&options);
}

static bool ends_soon(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[256];

	while (poll(&p, 1, test_scaled(5000)) > 0)
		if (read(fd, bytes, sizeof bytes) <= 0)
			return true;
	return false;
}

static bool ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* ---- a conversation's end ---- */

static int dies(struct brood_job *job)
{
	char c;

	if (read(brood_job_fd(job), &c, 1) == 1)
		raise(SIGKILL);
	return 0;
}

static int hangs(struct brood_job *job)
{
	(void)job;
	for (;;)
		pause();
	return 0;
}

static void converse(
	brood_fn *fn, const struct brood_job_options *o, bool given, enum brood_outcome outcome)
{
	struct brood_handle *handle;
	struct brood_verdict v;
	int pair[2];

	if (given) {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		CHECK_EQ(brood_give_named(brood, fn, "job", pair[1], o, &handle), 0);
	} else {
		CHECK_EQ(brood_open_named(brood, fn, "job", o, &pair[0], &handle), 0);
	}
	CHECK_EQ(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
	CHECK(ends_soon(pair[0])); /* nobody calls the library meanwhile */
	CHECK_EQ(brood_wait(handle, 10000, &v), 0);
	CHECK_EQ(v.outcome, outcome);
	brood_release(handle);
	close(pair[0]);
}

static void conversations(void)
{
	struct brood_lease *lease;

	start(2);
	for (int way = 0; way < 8; way++) {
		struct brood_job_options o = { .size = sizeof o, .run_ms = 200 };
		bool given = way & 1, pinned = way & 2, hanging = way & 4;

		if (pinned)
			CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
		o.lease = pinned ? lease : NULL;
		o.dispatch = pinned ? 0 : BROOD_PATH_LEASE;
		converse(hanging ? hangs : dies, &o, given,
			hanging ? BROOD_TIMED_OUT : BROOD_CRASHED);
		if (pinned)
			brood_lease_end(lease);
	}
	brood_fd(brood); /* BROOD_PATH_AUTO takes a lease now, where a worker is idle */
	for (int i = 0; i < 6; i++) {
		struct brood_job_options o = { .size = sizeof o };
		converse(dies, &o, i & 1, BROOD_CRASHED);
	}
	pool_stop(brood);
}
Test(given_fds, a_conversation_ends_with_its_job) { case_run(conversations, 60000); }

/* ---- options.fds ---- */

static int writes(struct brood_job *job)
{
	return write(brood_job_extra_fd(job, 0), "hello", 5) != 5;
}

/*
 * A submitted job, dispatched as an event loop does; its bytes are read to the end before its
 * result is taken.
 */
static void pipe_to(const struct brood_job_options *how, struct brood_queue *queue)
{
	struct brood_job_options o = *how;
	const struct brood_result *result;
	int p[2];

	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	o.fds = &p[1];
	o.fds_count = 1;
	CHECK_EQ(brood_submit(brood, writes, NULL, 0, &o, NULL), 0);
	close(p[1]);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), brood_queue_dispatch(queue), ended(p[0])), 5000));
	CHECK(WAIT_UNTIL(brood_take(queue, &result, 1) == 1, 5000));
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	close(p[0]);
}

static void pipes(void)
{
	struct brood_lease *lease;

	start(3);
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	for (uint32_t path = BROOD_PATH_AUTO; path <= BROOD_PATH_LEASE; path++)
		for (uint32_t retries = 0; retries < 2; retries++)
			pipe_to(&(struct brood_job_options){ .size = sizeof(
								     struct brood_job_options),
					.dispatch = path,
					.retries = retries },
				brood_own_queue(brood));
	pipe_to(
		&(struct brood_job_options){
			.size = sizeof(struct brood_job_options), .lease = lease, .retries = 3 },
		brood_lease_queue(lease));
	brood_lease_end(lease);
	pool_stop(brood);
}
Test(given_fds, extra_ones_are_closed_with_the_verdict) { case_run(pipes, 60000); }

struct attempts {
	atomic_int count;
	atomic_int pid;
};
#define ATTEMPTS ((struct attempts *)case_shared())

static int killed_once(struct brood_job *job)
{
	if (brood_job_attempt(job) == 1)
		raise(SIGKILL);
	atomic_fetch_add(&ATTEMPTS->count, 1);
	return write(brood_job_extra_fd(job, 0), "again", 5) != 5;
}

static void retried(void)
{
	start(2);
	for (uint32_t path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_job_options o = { .size = sizeof o, .dispatch = path, .retries = 1 };
		const struct brood_result *result;
		char got[16];
		int p[2];

		CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
		o.fds = &p[1];
		o.fds_count = 1;
		CHECK_EQ(brood_submit(brood, killed_once, NULL, 0, &o, NULL), 0);
		close(p[1]);
		CHECK(brood_queue_wait(brood_own_queue(brood), 10000) > 0);
		/* A worker that is being born may still have the supervisor's copy. */
		CHECK(WAIT_UNTIL(ended(p[0]), 5000));
		CHECK_EQ(read(p[0], got, sizeof got), 5);
		CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
		CHECK_EQ(result->verdict.outcome, BROOD_DONE);
		CHECK_EQ(result->verdict.attempts, 2);
		close(p[0]);
	}
	pool_stop(brood);
}
Test(given_fds, a_retry_has_them_again) { case_run(retried, 30000); }

/* ---- what a worker never read ---- */

static int tells_pid(struct brood_job *job)
{
	(void)job;
	atomic_store(&ATTEMPTS->pid, getpid());
	return 0;
}

static int answers(struct brood_job *job)
{
	char c = 0;

	if (read(brood_job_fd(job), &c, 1) != 1 || write(brood_job_fd(job), &c, 1) != 1)
		return 1;
	return brood_job_extra_fds(job) == 1 && write(brood_job_extra_fd(job, 0), "e", 1) == 1 ? 0
											       : 2;
}

/* The only worker on lease is stopped: it reads nothing that it is given now. */
static pid_t stopped_worker(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_handle *handle;
	pid_t pid;
	int fd;

	CHECK_EQ(brood_open(brood, tells_pid, &o, &fd, &handle), 0);
	CHECK_EQ(brood_wait(handle, 10000, NULL), 0);
	brood_release(handle);
	close(fd);
	pid = atomic_load(&ATTEMPTS->pid);
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK(WAIT_UNTIL(proc_state(pid) == 'T', 5000));
	return pid;
}

/* A job with a socket and the end of a pipe, which its worker does not read. */
struct unread {
	struct brood_handle *handle;
	int fd, pipe;
	pid_t worker;
};

static struct unread give_unread(void)
{
	struct brood_options options = { .workers = 1, .lease_idle_ms = 60000, .run_ms = 20000 };
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct unread u;
	int p[2];

	brood = pool_start(&options);
	u.worker = stopped_worker();
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	o.fds = &p[1];
	o.fds_count = 1;
	CHECK_EQ(brood_open(brood, answers, &o, &u.fd, &u.handle), 0);
	close(p[1]);
	u.pipe = p[0];
	return u;
}

static void forget(struct unread *u)
{
	brood_release(u->handle);
	close(u->fd);
	close(u->pipe);
}

static void taken_back(void)
{
	struct unread u = give_unread();
	struct brood_verdict v;
	char c;

	CHECK_EQ(send(u.fd, "q", 1, MSG_NOSIGNAL), 1);
	CHECK_EQ(kill(u.worker, SIGKILL), 0);
	CHECK_EQ(brood_wait(u.handle, 15000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_NE(v.pid, u.worker);
	CHECK_EQ(read(u.fd, &c, 1), 1); /* the same stream, as it was */
	CHECK_EQ(c, 'q');
	CHECK(ends_soon(u.fd) && ends_soon(u.pipe));
	forget(&u);
	pool_stop(brood);
}
Test(given_fds, unread_ones_go_to_another_worker) { case_run(taken_back, 40000); }

/* The worker may not look for long: the ends come with the verdict all the same. */
static void cancelled(void)
{
	struct unread u = give_unread();
	struct brood_verdict v;

	CHECK(!ended(u.pipe));
	CHECK_EQ(brood_cancel(brood, brood_id(u.handle)), 0);
	CHECK_EQ(brood_wait(u.handle, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_CANCELLED);
	CHECK(ended(u.fd) && ended(u.pipe));
	forget(&u);
	CHECK_EQ(kill(u.worker, SIGCONT), 0);
	pool_call(brood, job_nothing, "nothing", "", 0, NULL);
	pool_stop(brood);
}
Test(given_fds, those_of_a_withdrawn_job_are_closed) { case_run(cancelled, 40000); }
