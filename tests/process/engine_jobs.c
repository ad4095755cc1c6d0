/* SPDX-License-Identifier: MIT */
/*
 * engine_jobs.c - the engine alone against a supervisor that the test plays: one verdict a job,
 * credits, handles, options, the queue, the stop.
 */
#include "../helpers/case.h"
#include "../helpers/peer.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(engine_jobs, .timeout = 120);

static struct peer peer;

static void start(uint32_t records)
{
	peer_init(&peer);
	peer_start(&peer, records);
}
static struct brood_stats stats(void)
{
	struct brood_stats s;

	CHECK_EQ(engine_stats(peer.brood, &s), 0);
	return s;
}
static enum brood_outcome outcome_of(struct brood_handle *h)
{
	struct brood_verdict v;
	int r = engine_fetch(h, &v);

	if (r < 0) {
		CHECK_EQ(r, -EAGAIN);
		return 0;
	}
	CHECK_EQ(v.size, sizeof v);
	CHECK_EQ(v.id, engine_id(h));
	return v.outcome;
}
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
	CHECK_EQ(outcome_of(h), 0); /* fetching does not read the channel */
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
		CHECK_STR(v.name, "job"); /* ours, whatever the wire says */
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
	 * One job stays out while others go round and round: its record is skipped, ids go up, none
	 * twice.
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

/* ---- the channel's end ---- */

static void check_gone(struct brood_handle *h)
{
	struct engine_bytes bytes = { 0 };
	struct brood_verdict v;

	CHECK_EQ(engine_wait(h, 5000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(v.detail, BROOD_DETAIL_CHANNEL);
	CHECK_NE(v.started, 0); /* nobody knows: a retry is not safe */
	CHECK_STR(v.name, "job");
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -ENOTCONN);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -ENOTCONN);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(engine_wait_ready(peer.brood, 1000), -ENOTCONN);
	CHECK_EQ(engine_cancel(peer.brood, engine_id(h)), -ENOENT);
	CHECK_EQ(stats().verdicts[BROOD_LOST], 1);
	CHECK_EQ(engine_stop(peer.brood), -ENOTCONN);
	CHECK_EQ(outcome_of(h), BROOD_LOST);
	engine_release(h);
}

static void channel_end(void)
{
	struct brood_handle *h, *done;

	start(4);
	done = peer_open(&peer, peer_fn_a, NULL);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(done), BROOD_DONE); /* said before the end: it counts */
	peer_hang_up(&peer);
	check_gone(h);
	CHECK_EQ(outcome_of(done), BROOD_DONE);
}
Test(engine_jobs, lost_when_the_channel_ends) { case_run(channel_end, 10000); }

static void end_seen_by_sending(void)
{
	struct brood_handle *done;

	start(4);
	done = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(done), BROOD_DONE);
	peer_hang_up(&peer);
	/* the send fails, and what could still be read was read */
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -ENOTCONN);
	CHECK_EQ(outcome_of(done), BROOD_DONE);
	CHECK_EQ(stats().submitted, 1);
	CHECK_EQ(stats().verdicts[BROOD_LOST], 0);
	engine_release(done);
}
Test(engine_jobs, a_failed_send_reads_the_last_words) { case_run(end_seen_by_sending, 10000); }

static void garbage(void *context)
{
	int which = *(int *)context;
	struct brood_verdict v = { .id = 1, .outcome = BROOD_DONE };
	struct frame f;
	struct brood_handle *h;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	switch (which) {
	case 0: peer_raw(peer.channel, "nonsense", 8); break;
	case 1:
		v.outcome = BROOD_OUTCOMES;
		peer_verdict(&peer, &v);
		break;
	case 2:
		v.outcome = 0;
		peer_verdict(&peer, &v);
		break;
	case 3:
		v.detail = (enum brood_detail) - 1;
		peer_verdict(&peer, &v);
		break;
	case 4:
		peer_say(&peer, MESSAGE_STOP); /* ours to say */
		break;
	case 5: peer_log(&(struct peer){ .log = peer.channel }, "on the wrong socket"); break;
	case 6: /* an fd that nobody asked for */
		frame_begin(&f, MESSAGE_POOL_READY);
		f.fds[0] = 0;
		f.fds_count = 1;
		CHECK_EQ(frame_send(peer.channel, &f), 0);
		break;
	default: FAIL("no such case");
	}
	peer_outcome(&peer, engine_id(h), BROOD_DONE); /* after nonsense nothing can be trusted */
	check_gone(h);
}
#define GARBAGE(n)                                     \
	Test(engine_jobs, garbage_##n)                 \
	{                                              \
		int which = n;                         \
		case_run_with(garbage, &which, 10000); \
	}
GARBAGE(0)
GARBAGE(1)
GARBAGE(2)
GARBAGE(3)
GARBAGE(4)
GARBAGE(5)
GARBAGE(6)

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
	/* The two ends are one connection, blocking and close-on-exec. */
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
	good->size = sizeof o; /* a newer caller, who uses nothing new */
	CHECK_EQ(peer_open_try(&peer, good, NULL), 0);
	o.news = 1; /* who does */
	CHECK_EQ(peer_open_try(&peer, good, NULL), -EINVAL);
	CHECK_CONTAINS(engine_error_text(), "size");
	/* an older one: what lies behind is not read */
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
	CHECK_EQ(f.cancel.id, id);
	CHECK(peer_silent(&peer)); /* one wish is enough */
	engine_release(h);         /* by id, also without a handle */
	CHECK_EQ(engine_cancel(peer.brood, id), 0);
	peer_finish(&peer, &job, BROOD_CANCELLED);
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK_EQ(engine_cancel(peer.brood, id), -ENOENT);
}
Test(engine_jobs, cancel_by_id) { case_run(cancelling, 10000); }

/* ---- readiness of the pool, and its stop ---- */

static void ready(void)
{
	start(4);
	CHECK_EQ(engine_wait_ready(peer.brood, 0), -ETIMEDOUT);
	CHECK_EQ(engine_wait_ready(peer.brood, 30), -ETIMEDOUT);
	atomic_store(&peer.shared.board->degraded, 1);
	peer_say(&peer, MESSAGE_POOL_DEGRADED);
	CHECK_EQ(engine_wait_ready(peer.brood, BROOD_FOREVER), -EHOSTDOWN);
	/* it recovered, and is not whole yet */
	atomic_store(&peer.shared.board->degraded, 0);
	CHECK_EQ(engine_wait_ready(peer.brood, 20), -ETIMEDOUT);
	peer_say(&peer, MESSAGE_POOL_READY);
	CHECK_EQ(engine_wait_ready(peer.brood, BROOD_FOREVER), 0);
	peer_say(&peer, MESSAGE_POOL_DEGRADED);
	CHECK_EQ(engine_wait_ready(peer.brood, 0), 0); /* for the first time: that was */
}
Test(engine_jobs, ready_once) { case_run(ready, 10000); }

static void check_stopped(struct brood_handle *closed)
{
	struct engine_bytes bytes = { 0 };
	struct brood_verdict v = { .outcome = 77 };

	CHECK_EQ(engine_stop(peer.brood), -ESHUTDOWN);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -ESHUTDOWN);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -ESHUTDOWN);
	CHECK_EQ(v.outcome, 77);
	CHECK_EQ(engine_cancel(peer.brood, 1), -ESHUTDOWN);
	CHECK_EQ(engine_dispatch(peer.brood), -ESHUTDOWN);
	CHECK_EQ(engine_fd(peer.brood), -ESHUTDOWN);
	CHECK_EQ(engine_wait_ready(peer.brood, 0), -ESHUTDOWN);
	CHECK_EQ(engine_set_init_data(peer.brood, "x", 1, NULL, 0), -ESHUTDOWN);
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_READY, NULL), -ESHUTDOWN);
	CHECK_EQ(engine_wait(closed, 0, &v), 0);
	CHECK_EQ(engine_fetch(closed, &v), 0);
}

static void *play_stop(void *context)
{
	struct frame f;

	peer_hear(&peer, &f, MESSAGE_STOP);
	peer_outcome(&peer, (uint64_t)(uintptr_t)context, BROOD_CANCELLED);
	peer_say(&peer, MESSAGE_STOPPED);
	return NULL;
}

static void stopping(void)
{
	struct brood_handle *h;
	pthread_t thread;
	int fd;

	start(4);
	fd = engine_fd(peer.brood);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &(struct peer_job){ 0 });
	CHECK_EQ(pthread_create(&thread, NULL, play_stop, (void *)(uintptr_t)engine_id(h)), 0);
	CHECK_EQ(engine_stop(peer.brood), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(outcome_of(h), BROOD_CANCELLED);
	check_stopped(h);
	peer_hang_up(&peer);
	/* an event loop that still has it does not spin */
	CHECK(!peer_readable(fd));
	engine_release(h);
}
Test(engine_jobs, stop) { case_run(stopping, 10000); }

static void stop_unheard(void)
{
	struct brood_handle *h, *released;
	struct brood_verdict v;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	released = peer_open(&peer, peer_fn_a, NULL);
	engine_release(released);
	CHECK_EQ(engine_stop(peer.brood), -ETIMEDOUT);
	CHECK_EQ(engine_fetch(h, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(v.detail, BROOD_DETAIL_STOP_TIME);
	CHECK_EQ(stats().verdicts[BROOD_LOST], 2);
	CHECK_EQ(stats().dropped, 1);
	check_stopped(h);
	engine_release(h);
}
Test(engine_jobs, a_stop_that_nobody_answers_has_a_bound) { case_run(stop_unheard, 30000); }

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
		CHECK_EQ(engine_set_init_data(peer.brood, NULL, 0, NULL, 0), -EPERM);
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
