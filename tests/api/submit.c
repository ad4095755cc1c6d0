/* SPDX-License-Identifier: MIT */
/*
 * submit.c - queues and leases, each case twice: with workers, and inline. What a program sees must
 * not differ.
 */
#include "submit.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(submit, .timeout = 120);

static void each_job_has_one_result(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { 0 };
	int count;

	for (int i = 0; i < 300; i++)
		CHECK_EQ(submit_arg(brood, i % 100, &o), 0);
	CHECK_EQ(sum_of(brood_own_queue(brood), &count), 3 * 4950);
	CHECK_EQ(count, 300);
	CHECK_EQ(brood_queue_out(brood_own_queue(brood)), 0);
	CHECK_EQ(pool_stats(brood).submitted, 300);
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 3);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(each_job_has_one_result)

/* By the fd alone, and by callbacks that submit more. */
struct chain {
	struct brood *brood;
	int left, ended;
};
static void on_done(void *context, const struct brood_result *result)
{
	struct chain *chain = context;
	struct brood_job_options o = { .on_done = on_done, .context = chain };

	CHECK_EQ(result->verdict.code, chain->left);
	CHECK(result->context == context);
	if (--chain->left > 0)
		CHECK_EQ(submit_arg(chain->brood, chain->left, &o), 0);
	else
		chain->ended = 1;
}

static void callbacks_by_fd(void)
{
	struct chain chain = { .brood = start(), .left = 20 };
	struct brood_job_options o = { .on_done = on_done, .context = &chain };
	struct pollfd p = { .fd = brood_fd(chain.brood), .events = POLLIN };

	CHECK_EQ(submit_arg(chain.brood, 20, &o), 0);
	while (!chain.ended) {
		CHECK_EQ(poll(&p, 1, BOUND), 1);
		CHECK_GE(brood_dispatch(chain.brood), 0);
	}
	CHECK_EQ(chain.left, 0);
	CHECK_EQ(brood_stop(chain.brood), 0);
}
TWICE(callbacks_by_fd)

/* A full queue refuses; what was taken makes room; what is freed with the queue is dropped. */
static void room(void)
{
	struct brood *brood = start();
	struct brood_queue_options q = { .size = sizeof q, .jobs = 3 };
	struct brood_job_options o = { 0 };
	const struct brood_result *results[4];
	int taken = 0;

	CHECK_EQ(brood_queue_new(brood, &q, &o.queue), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(submit_arg(brood, i, &o), 0);
	CHECK_EQ(submit_arg(brood, 9, &o), -EAGAIN);
	CHECK_CONTAINS(brood_error(), "dispatch or take");
	CHECK_EQ(brood_queue_out(o.queue), 3);
	while (taken < 2) {
		CHECK_GE(brood_queue_wait(o.queue, BOUND), 1);
		taken += brood_take(o.queue, results, (size_t)(2 - taken));
	}
	CHECK_EQ(brood_queue_out(o.queue), 1);
	CHECK_EQ(brood_queue_wait(o.queue, BOUND), 1); /* so that the first two are back */
	CHECK_EQ(submit_arg(brood, 9, &o), 0);
	CHECK(!brood_queue_free(o.queue));
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(room)

/* A program that was compiled against 0.1 has shorter options, and whatever behind them. */
static void older_caller(void)
{
	struct brood *brood = start();
	struct brood_job_options o;
	struct brood_verdict v;
	char reply[8];

	memset(&o, 0xa5, sizeof o);
	memset(&o, 0, offsetof(struct brood_job_options, dispatch));
	o.size = offsetof(struct brood_job_options, dispatch);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(brood_call(brood, job_echo, "abc", 3, reply, sizeof reply, &o, &v), 3);
		CHECK_MEM(reply, "abc", 3);
	}
	CHECK_EQ(brood_submit(brood, job_echo, "abc", 3, &o, NULL), 0);
	CHECK_EQ(brood_queue_wait(brood_own_queue(brood), BOUND), 1);
	o.size--;
	CHECK_EQ(brood_call(brood, job_echo, "abc", 3, reply, sizeof reply, &o, &v), -EINVAL);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(older_caller)

/* Its own queues and those of leases are the library's. */
static void whose_queue(void)
{
	struct brood *brood = start();
	struct brood_queue *own = brood_own_queue(brood);
	struct brood_job_options o = { .size = sizeof o }, none = { 0 };
	int count;

	CHECK(own && own == brood_own_queue(brood));
	CHECK_EQ(brood_queue_fd(own) >= 0, 1);
	CHECK(!brood_queue_free(own));
	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	CHECK(!brood_queue_free(brood_lease_queue(o.lease)));
	CHECK_EQ(submit_arg(brood, 5, &o), 0);
	CHECK_EQ(submit_arg(brood, 6, &none), 0);
	CHECK_EQ(sum_of(brood_lease_queue(o.lease), &count), 5);
	CHECK_EQ(count, 1);
	CHECK_EQ(sum_of(own, &count), 6);
	CHECK(!brood_lease_end(o.lease));
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(whose_queue)

/* What has come by the time of the stop can be taken after it. */
static void after_stop(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { 0 }, own = { 0 };
	const struct brood_result *result;
	int count;

	CHECK_EQ(brood_queue_new(brood, NULL, &o.queue), 0);
	CHECK_EQ(submit_arg(brood, 3, &o), 0);
	CHECK_EQ(submit_arg(brood, 4, &own), 0);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(submit_arg(brood, 3, &o), -ESHUTDOWN);
	CHECK_EQ(brood_queue_out(o.queue), 1);
	CHECK_EQ(sum_of(o.queue, &count), 3);
	CHECK_EQ(sum_of(brood_own_queue(brood), &count), 4);
	CHECK_EQ(brood_take(o.queue, &result, 1), 0);
	CHECK(!brood_queue_free(o.queue));
}
TWICE(after_stop)

/* Progress comes before the result, and by call in the calling thread. */
static int job_counts(struct brood_job *job)
{
	for (int i = 1; i <= 5; i++)
		if (brood_job_progress(job, &i, sizeof i) != 0)
			return 1;
	return 0;
}
struct heard {
	int last, done;
	uint64_t id;
};
static void on_progress(void *context, uint64_t id, const void *data, size_t size)
{
	struct heard *heard = context;
	int i;

	CHECK_EQ(size, sizeof i);
	CHECK(!heard->done);
	memcpy(&i, data, sizeof i);
	CHECK_EQ(i, heard->last + 1);
	heard->last = i;
	heard->id = id;
}
static void on_counted(void *context, const struct brood_result *result)
{
	struct heard *heard = context;

	CHECK_EQ(result->verdict.code, 0);
	heard->done = 1;
}

static void progress(void)
{
	static const uint32_t paths[] = { BROOD_PATH_AUTO, BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };
	struct brood *brood = start();

	for (int i = 0; i < 3; i++) {
		struct heard called = { 0 }, submitted = { 0 };
		struct brood_job_options o = { .size = sizeof o,
			.dispatch = paths[i],
			.on_progress = on_progress,
			.context = &called };
		struct brood_verdict v;
		uint64_t id;

		CHECK_EQ(brood_call(brood, job_counts, NULL, 0, NULL, 0, &o, &v), 0);
		CHECK_EQ(called.last, 5);
		CHECK_EQ(called.id, v.id);
		if (paths[i])
			CHECK_EQ(v.path, paths[i]);
		o.context = &submitted;
		o.on_done = on_counted;
		CHECK_EQ(brood_submit(brood, job_counts, NULL, 0, &o, &id), 0);
		while (!submitted.done)
			CHECK_GE(brood_queue_wait(brood_own_queue(brood), BOUND), 1);
		CHECK_EQ(submitted.last, 5);
		CHECK_EQ(submitted.id, id);
	}
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(progress)

/*
 * Descriptors there and back: the job gets a pipe's writing end, and replies another pipe's reading
 * end.
 */
static int job_fds(struct brood_job *job)
{
	int pipe_fds[2], r;

	if (brood_job_extra_fds(job) != 1 || write(brood_job_extra_fd(job, 0), "there", 5) != 5 ||
		pipe(pipe_fds) < 0)
		return 1;
	r = write(pipe_fds[1], "back", 4) == 4 ? brood_job_reply_fds(job, pipe_fds, 1) : -1;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return r == 0 ? 0 : 2;
}

static void fds(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o, .fds_count = 1 };
	const struct brood_result *result;
	int pipe_fds[2], got = -1;
	size_t count = 0;
	char text[8];

	CHECK_EQ(pipe(pipe_fds), 0);
	o.fds = &pipe_fds[1];
	CHECK_EQ(brood_submit(brood, job_fds, NULL, 0, &o, NULL), 0);
	o.ret_fds = &got;
	o.ret_fds_room = 1;
	o.ret_fds_count = &count;
	CHECK_EQ(brood_call(brood, job_fds, NULL, 0, NULL, 0, &o, NULL), 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(read(got, text, sizeof text), 4);
	CHECK_MEM(text, "back", 4);
	close(got);
	CHECK_GE(brood_queue_wait(brood_own_queue(brood), BOUND), 1);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(result->verdict.code, 0);
	CHECK_EQ(result->fds_count, 1);
	CHECK_EQ(read(result->fds[0], text, sizeof text), 4);
	close(pipe_fds[1]);
	CHECK_EQ(read(pipe_fds[0], text, sizeof text), 8);
	CHECK_MEM(text, "therethe", 8);
	close(pipe_fds[0]);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(fds)

/* A session keeps what its jobs leave in memory. */
static int job_session(struct brood_job *job)
{
	static int sum;
	size_t size;

	if (!brood_job_request(job, &size))
		return 1;
	sum += (int)size;
	return brood_job_reply(job, &sum, sizeof sum) == sizeof sum ? 0 : 1;
}

static void session(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o };
	struct brood_verdict v;
	pid_t pid = 0;
	int sum = 0;

	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	CHECK_EQ(brood_lease_worker(o.lease, &pid, NULL, NULL), 0);
	for (int i = 1; i <= 4; i++) {
		CHECK_EQ(
			brood_call(brood, job_session, "1234", (size_t)i, &sum, sizeof sum, &o, &v),
			sizeof sum);
		CHECK_EQ(v.path, BROOD_PATH_LEASE);
		CHECK_EQ(v.pid, pid);
	}
	CHECK_EQ(sum, 10);
	CHECK_EQ(pool_stats(brood).leased, 1);
	CHECK(!brood_lease_end(o.lease));
	CHECK_EQ(pool_stats(brood).leases, 1);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(session)

/*
 * Many threads talk on leases of one queue, which come and go: who waits in brood_open() for a
 * lease hears of it although others sleep there, too. (Its job used to wait for its first word
 * until that thread happened to be the one that is woken.)
 */
static struct brood *talked_to;
static void *talks(void *unused)
{
	struct brood_job_options o = { .size = sizeof o,
		.dispatch = BROOD_PATH_LEASE,
		.run_ms = BOUND,
		.queue_ms = BROOD_FOREVER };

	for (int i = 0; i < 12; i++) {
		struct brood_handle *handle;
		struct brood_verdict v;
		char c = 0;
		int fd;

		CHECK_EQ(brood_open(talked_to, job_echo, &o, &fd, &handle), 0);
		CHECK_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
		CHECK_EQ(shutdown(fd, SHUT_WR), 0);
		CHECK_EQ(brood_wait(handle, BROOD_FOREVER, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_EQ(v.path, BROOD_PATH_LEASE);
		CHECK_EQ(read(fd, &c, 1), 1);
		CHECK_EQ(c, 'x');
		close(fd);
		brood_release(handle);
		usleep(1000 * (useconds_t)(i % 4));
	}
	return unused;
}
static void many_talk(void)
{
	pthread_t threads[12];

	talked_to = pool_start(
		&(struct brood_options){ .workers = 2, .lease_idle_ms = 1, .backlog = 64 });
	for (int i = 0; i < 12; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, talks, NULL), 0);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	pool_stop(talked_to);
}
Test(submit, many_talk) { case_run(many_talk, 3 * BOUND); }
