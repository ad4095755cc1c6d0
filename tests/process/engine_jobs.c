/* SPDX-License-Identifier: MIT */
/*
 * engine_jobs.c - the engine against a fake supervisor: one verdict a job, credits, handles,
 * options, which process may call.
 */
#include "engine.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(engine_jobs, .timeout = 120);

static void hear_and_end(enum brood_outcome outcome)
{
	struct peer_job job;

	peer_job(&peer, &job);
	peer_finish(&peer, &job, outcome);
}

/* ---- one verdict ---- */

static void verdict_once(void)
{
	struct brood_handle *h;
	struct peer_job job;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	CHECK_EQ(outcome_of(h), 0);
	peer_job(&peer, &job);
	CHECK_EQ(job.id, engine_id(h));
	peer_outcome(&peer, job.id, BROOD_FAILED);
	peer_outcome(&peer, job.id, BROOD_DONE);
	peer_outcome(&peer, 999, BROOD_DONE);
	peer_outcome(&peer, 0, BROOD_DONE);
	CHECK_EQ(outcome_of(h), 0); /* looking for the verdict does not read the channel */
	CHECK_EQ(engine_dispatch(peer.brood), 1);
	CHECK_EQ(outcome_of(h), BROOD_FAILED);
	CHECK_EQ(outcome_of(h), BROOD_FAILED); /* again */
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK_EQ(stats().dropped, 3);
	CHECK_EQ(stats().submitted, 1);
	engine_release(h);
}
Test(engine_jobs, one_verdict_and_the_rest_is_counted) { case_run(verdict_once, 10000); }

static void out_of_order(void)
{
	struct brood_handle *h[8];
	struct peer_job jobs[8];
	struct brood_verdict v;

	start(8);
	for (int i = 0; i < 8; i++) {
		h[i] = peer_open(&peer, peer_fn_a, NULL);
		peer_job(&peer, &jobs[i]);
	}
	for (int i = 7; i >= 0; i--) {
		v = (struct brood_verdict){ .id = jobs[i].id, .outcome = BROOD_EXITED, .code = i };
		memset(v.name, 'x', sizeof v.name - 1);
		peer_verdict(&peer, &v);
	}
	CHECK_EQ(engine_wait(h[3], BROOD_FOREVER, NULL), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(engine_wait(h[i], 1000, &v), 0);
		CHECK_EQ(v.code, i);
		CHECK_STR(v.name, "job"); /* our own value, whatever the message says */
		engine_release(h[i]);
	}
}
Test(engine_jobs, verdicts_in_any_order) { case_run(out_of_order, 10000); }

static void released_first(void)
{
	struct brood_handle *h;
	struct peer_job job;

	start(1);
	h = peer_open(&peer, peer_fn_a, NULL);
	engine_release(h);
	peer_job(&peer, &job);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -EAGAIN); /* the supervisor has it still */
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK_EQ(engine_dispatch(peer.brood), 0); /* nobody can fetch it */
	CHECK_EQ(stats().dropped, 1);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), 0);
	CHECK_EQ(stats().submitted, 2);
	CHECK_EQ(stats().verdicts[BROOD_REFUSED], 1);
}
Test(engine_jobs, released_before_its_verdict) { case_run(released_first, 10000); }

static void handle_outlives(void)
{
	struct brood_handle *first, *second;

	start(1);
	first = peer_open(&peer, peer_fn_a, NULL);
	hear_and_end(BROOD_FAILED);
	CHECK_EQ(engine_wait(first, 5000, NULL), 0);
	second = peer_open(&peer, peer_fn_a, NULL); /* the same record */
	CHECK_NE(engine_id(first), engine_id(second));
	engine_release(first); /* must not touch it */
	hear_and_end(BROOD_DONE);
	CHECK_EQ(engine_wait(second, 5000, NULL), 0);
	CHECK_EQ(outcome_of(second), BROOD_DONE);
	engine_release(second);
}
Test(engine_jobs, a_handle_outlives_its_record) { case_run(handle_outlives, 10000); }

static void ids(void)
{
	enum { N = 67 };
	struct brood_handle *h[N];
	struct peer_job job;
	uint64_t stuck, last = 0;

	start(N);
	h[0] = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &job);
	stuck = job.id;
	/*
	 * One job stays out while others come and go: its record is skipped, ids rise, and no id is
	 * used twice.
	 */
	for (int i = 0; i < 5 * N; i++) {
		struct brood_handle *one = peer_open(&peer, peer_fn_a, NULL);

		CHECK_GT(engine_id(one), last);
		last = engine_id(one);
		CHECK_NE(last % N, stuck % N);
		hear_and_end(BROOD_DONE);
		CHECK_EQ(engine_wait(one, 5000, NULL), 0);
		engine_release(one);
	}
	for (int i = 1; i < N; i++)
		h[i] = peer_open(&peer, peer_fn_a, NULL);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -EAGAIN);
	CHECK_CONTAINS(engine_error_text(), "backlog");
	/* the only free record is this one */
	peer_outcome(&peer, engine_id(h[40]), BROOD_DONE);
	CHECK_EQ(engine_wait(h[40], 5000, NULL), 0);
	last = engine_id(h[40]);
	engine_release(h[40]);
	h[40] = peer_open(&peer, peer_fn_a, NULL);
	CHECK_EQ(engine_id(h[40]) % N, last % N);
	CHECK_GT(engine_id(h[40]), engine_id(h[N - 1]));
}
Test(engine_jobs, ids_skip_what_is_out) { case_run(ids, 20000); }

static void full_call(void)
{
	struct engine_bytes bytes = { .request = "x", .request_size = 1 };
	struct brood_verdict v = { 0 };
	struct brood_handle *h;
	uint64_t id;

	start(1);
	h = peer_open(&peer, peer_fn_a, NULL);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EAGAIN);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_QUEUE_FULL);
	CHECK_EQ(v.started, 0);
	CHECK_STR(v.name, "job");
	CHECK_NE(v.id, engine_id(h));
	id = v.id;
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EAGAIN);
	CHECK_NE(v.id, id);
	CHECK_EQ(stats().verdicts[BROOD_REFUSED], 2);
	CHECK_EQ(stats().submitted, 1);
	engine_release(h);
}
Test(engine_jobs, a_full_pool_refuses_calls_with_a_verdict) { case_run(full_call, 10000); }

/* ---- what is said of a job ---- */

static void fields(void)
{
	struct brood_job_options o = { .size = sizeof o,
		.flags = BROOD_JOB_ONCE,
		.run_ms = 77,
		.queue_ms = BROOD_FOREVER,
		.retries = 3,
		.arg = "hello",
		.arg_size = 6 };
	struct engine_job job = { .fn = peer_fn_b,
		.name = "a_name_that_is_longer_than_what_a_verdict_has_room_for_so_that_it_must_be_"
			"cut\n",
		.options = &o };
	struct brood_handle *h = NULL;
	struct peer_job heard;
	int fd;

	start(4);
	CHECK_EQ(engine_open(peer.brood, &job, &fd, &h), 0);
	peer_job(&peer, &heard);
	CHECK_EQ(heard.message.fn, (uint64_t)(uintptr_t)peer_fn_b);
	CHECK_EQ(heard.message.flags, BROOD_JOB_ONCE);
	CHECK_EQ(heard.message.run_ms, 77);
	CHECK_EQ(heard.message.queue_ms, BROOD_FOREVER);
	CHECK_EQ(heard.message.grace_ms, 30); /* the pool's */
	CHECK_EQ(heard.message.retries, 3);
	CHECK_EQ(heard.message.attempt, 0);
	CHECK_EQ(heard.message.request_size, BROOD_SIZE_UNKNOWN);
	CHECK_LE(heard.message.given_ns, now_ns());
	CHECK_EQ(heard.message.arg_size, 6);
	CHECK_STR(heard.arg, "hello");
	CHECK_EQ(strlen(heard.message.name), BROOD_NAME_MAX - 1);
	CHECK_MEM(heard.message.name, job.name, BROOD_NAME_MAX - 1);
	/* The two ends are of one connection, blocking, and close-on-exec. */
	peer_raw(fd, "ping", 4);
	CHECK_EQ(recv(heard.fd, heard.arg, 10, MSG_DONTWAIT), 4);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	engine_release(h);

	job = (struct engine_job){ .fn = peer_fn_b }; /* all defaults */
	CHECK_EQ(engine_open(peer.brood, &job, &fd, NULL), 0);
	peer_job(&peer, &heard);
	CHECK_EQ(heard.message.queue_ms, 1000);
	CHECK_EQ(heard.message.run_ms, 2000);
	CHECK_EQ(heard.message.arg_size, 0);
	CHECK_STR(heard.message.name, "?");
}
Test(engine_jobs, a_job_says_all_that_was_asked) { case_run(fields, 10000); }

struct longer {
	struct brood_job_options options;
	uint64_t news;
};

static void options_checked(void)
{
	struct longer o = { .options = { .size = sizeof o.options } };
	struct brood_job_options *const good = &o.options;
	static char arg[BROOD_ARG_MAX + 1];
	struct peer_job job;

	start(100);
	CHECK_EQ(peer_open_try(&peer, good, NULL), 0);
	good->size = 0;
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->size = sizeof(size_t);
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->size = (size_t)-1;
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->size = sizeof o; /* a newer caller, who uses no new field */
	CHECK_EQ(peer_open_try(&peer, good, NULL), 0);
	o.news = 1; /* who does */
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	CHECK_CONTAINS(engine_error_text(), "size");
	/* an older caller: what is behind its struct is not read */
	good->size = offsetof(struct brood_job_options, reserved);
	good->reserved[0] = 1;
	CHECK_EQ(peer_open_try(&peer, good, NULL), 0);
	good->size = sizeof *good;
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->reserved[0] = 0;
	good->flags = 1u << 31;
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->flags = 0;
	good->arg_size = 1;
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->arg = arg;
	good->arg_size = BROOD_ARG_MAX + 1;
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	good->arg_size = BROOD_ARG_MAX;
	CHECK_EQ(peer_open_try(&peer, good, NULL), 0);
	for (int i = 0; i < 4; i++)
		peer_job(&peer, &job);
	CHECK_EQ(job.message.arg_size, BROOD_ARG_MAX);
	CHECK(peer_silent(&peer));
	CHECK_EQ(stats().submitted, 4);
}
Test(engine_jobs, options_are_checked) { case_run(options_checked, 10000); }

static void pointers(void)
{
	static char data[64];
	struct engine_job job = { .fn = (brood_fn *)(uintptr_t)data, .name = "data" };
	struct engine_bytes bytes = { 0 };
	struct brood_verdict v = { 0 };
	int fd = -1;

	start(4);
	CHECK_EQ(engine_open(peer.brood, &job, &fd, NULL), -EFAULT);
	CHECK_EQ(fd, -1);
	CHECK_CONTAINS(engine_error_text(), "data");
	CHECK_EQ(engine_call(peer.brood, &job, &bytes, &v), -EFAULT);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_BAD_POINTER);
	job.fn = NULL;
	CHECK_EQ(engine_open(peer.brood, &job, &fd, NULL), -EFAULT);
	CHECK(peer_silent(&peer));
}
Test(engine_jobs, pointers_are_checked) { case_run(pointers, 10000); }

static void giving(void)
{
	struct engine_job job = { .fn = peer_fn_a, .name = "job" };
	struct peer_job heard;
	int pipe_fds[2], pair[2], before, listener;

	start(1);
	CHECK_EQ(pipe(pipe_fds), 0);
	listener = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_EQ(engine_give(peer.brood, &job, pipe_fds[0], NULL), -ENOTSOCK);
	CHECK_EQ(engine_give(peer.brood, &job, -1, NULL), -EBADF);
	CHECK_EQ(engine_give(peer.brood, &job, 999, NULL), -EBADF);
	CHECK_EQ(engine_give(peer.brood, &job, listener, NULL), -EPROTOTYPE);
	CHECK_GE(fcntl(pipe_fds[0], F_GETFD), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	before = proc_own_fds();
	CHECK_EQ(engine_give(peer.brood, &job, pair[1], NULL), 0);
	CHECK_EQ(proc_own_fds(), before - 1); /* closed here */
	CHECK_EQ(fcntl(pair[1], F_GETFD), -1);
	peer_job(&peer, &heard);
	peer_raw(pair[0], "ping", 4);
	CHECK(peer_readable(heard.fd));
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(engine_give(peer.brood, &job, pair[1], NULL), -EAGAIN);
	CHECK_GE(fcntl(pair[1], F_GETFD), 0); /* still ours */
	peer_hang_up(&peer);
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	CHECK_EQ(engine_give(peer.brood, &job, pair[1], NULL), -ENOTCONN);
	CHECK_GE(fcntl(pair[1], F_GETFD), 0);
}
Test(engine_jobs, give_owns_the_fd_on_success_alone) { case_run(giving, 10000); }

/* ---- cancel ---- */

static void cancelling(void)
{
	struct brood_handle *h;
	struct peer_job job;
	struct frame f;
	uint64_t id;

	start(4);
	CHECK_EQ(engine_cancel(peer.brood, 0), -ENOENT);
	CHECK_EQ(engine_cancel(peer.brood, 7), -ENOENT);
	h = peer_open(&peer, peer_fn_a, NULL);
	id = engine_id(h);
	CHECK_EQ(engine_cancel(peer.brood, id), 0);
	CHECK_EQ(engine_cancel(peer.brood, id), 0);
	CHECK_EQ(engine_cancel(peer.brood, id + 4), -ENOENT); /* the same record */
	peer_job(&peer, &job);
	peer_hear(&peer, &f, MESSAGE_CANCEL);
	CHECK_EQ(f.about.id, id);
	CHECK(peer_silent(&peer)); /* one wish is enough */
	engine_release(h);         /* by id, also without a handle */
	CHECK_EQ(engine_cancel(peer.brood, id), 0);
	peer_finish(&peer, &job, BROOD_CANCELLED);
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK_EQ(engine_cancel(peer.brood, id), -ENOENT);
}
Test(engine_jobs, cancel_by_id) { case_run(cancelling, 10000); }

/* ---- who may call ---- */

static void forked(void)
{
	struct engine_bytes bytes = { 0 };
	struct engine_job job = { .fn = peer_fn_a };
	struct brood_handle *h;
	struct brood_verdict v;
	struct brood_stats s;
	int status, fd;
	pid_t pid;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &(struct peer_job){ 0 });
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(engine_open(peer.brood, &job, &fd, NULL), -EPERM);
		CHECK_CONTAINS(engine_error_text(), "fork");
		CHECK_EQ(engine_give(peer.brood, &job, 0, NULL), -EPERM);
		CHECK_EQ(engine_call(peer.brood, &job, &bytes, &v), -EPERM);
		CHECK_EQ(engine_fetch(h, &v), -EPERM);
		CHECK_EQ(engine_wait(h, 0, &v), -EPERM);
		CHECK_EQ(engine_cancel(peer.brood, 1), -EPERM);
		CHECK_EQ(engine_fd(peer.brood), -EPERM);
		CHECK_EQ(engine_dispatch(peer.brood), -EPERM);
		CHECK_EQ(engine_wait_ready(peer.brood, 0), -EPERM);
		CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), NULL, 0, NULL, 0),
			-EPERM);
		CHECK_EQ(engine_notify(peer.brood, NOTIFY_READY, NULL), -EPERM);
		CHECK_EQ(engine_stats(peer.brood, &s), -EPERM);
		CHECK_EQ(engine_stop(peer.brood), -EPERM);
		engine_release(h);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(peer_silent(&peer));
	peer_outcome(&peer, engine_id(h), BROOD_DONE);
	CHECK_EQ(engine_wait(h, 5000, NULL), 0); /* ours is untouched */
	engine_release(h);
}
Test(engine_jobs, a_forked_child_is_not_the_engine) { case_run(forked, 10000); }
