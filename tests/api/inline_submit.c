/* SPDX-License-Identifier: MIT */
/*
 * inline_submit.c - BROOD_INLINE: queues and leases. What is checked here of results, order and
 * refusal holds for queues with workers, too.
 */
#include "pool.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

TestSuite(inline_submit, .timeout = 60);

static struct brood *start_inline(void)
{
	struct brood_options o = { .size = sizeof o, .flags = BROOD_INLINE };
	struct brood *brood = NULL;

	CHECK_MSG(brood_start(&o, &brood) == 0, "%s", brood_error());
	return brood;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static int job_code(struct brood_job *job) { return *(const int *)brood_job_arg(job, NULL); }

static int submit_code(struct brood *brood, int code, brood_done_fn *on_done, void *context)
{
	struct brood_job_options o = { .size = sizeof o,
		.arg = &code,
		.arg_size = sizeof code,
		.on_done = on_done,
		.context = context };

	return brood_submit(brood, job_code, NULL, 0, &o, NULL);
}

static int job_large(struct brood_job *job)
{
	static char bytes[1 << 20];

	return brood_job_reply(job, bytes, sizeof bytes) == sizeof bytes ? 0 : 1;
}

static const struct brood_result *submit_one(struct brood *brood, brood_fn *fn, const char *request)
{
	const struct brood_result *result = NULL;

	CHECK_EQ(brood_submit(brood, fn, request, strlen(request), NULL, NULL), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	return result;
}

/* Calls leave nothing to the jobs that are submitted after them, and always have room. */
static void after_calls(void)
{
	struct brood *brood = start_inline();
	const struct brood_result *result;
	char reply[64];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(brood_call(brood, job_echo, "call", 4, reply, 64, NULL, NULL), 4);
	result = submit_one(brood, job_echo, "hello");
	CHECK_EQ(result->reply_size, 5);
	CHECK(memcmp(result->reply, "hello", 5) == 0);
	CHECK_EQ(brood_call(brood, job_echo, "call", 4, reply, 64, NULL, NULL), 4);
	CHECK_EQ(submit_one(brood, job_large, "")->reply_size, 1 << 20);
	CHECK(submit_one(brood, job_echo, "")->reply == NULL);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(brood_submit(brood, job_echo, "", 0, NULL, NULL), 0);
	CHECK_EQ(brood_submit(brood, job_echo, "", 0, NULL, NULL), -EAGAIN);
	CHECK_EQ(brood_call(brood, job_echo, "call", 4, reply, 64, NULL, NULL), 4);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, calls_leave_nothing_to_them) { case_run(after_calls, 30000); }

/* Results come by brood_take(), in order, with what the job wrote; the fd tells of them. */
static void take_in_order(void)
{
	struct brood *brood = start_inline();
	struct brood_queue *own = brood_own_queue(brood);
	struct brood_job_options o = { .size = sizeof o, .context = &o };
	const struct brood_result *results[3];
	uint64_t first = 0, second = 0;

	CHECK_EQ(brood_queue_fd(own), brood_fd(brood));
	CHECK(!readable(brood_fd(brood)));
	CHECK_EQ(brood_submit(brood, job_echo, "one", 3, &o, &first), 0);
	CHECK_EQ(brood_submit(brood, job_echo, "seven", 5, NULL, &second), 0);
	CHECK_EQ(submit_code(brood, 7, NULL, NULL), 0);
	CHECK(first && second > first);
	CHECK_EQ(brood_queue_out(own), 3);
	CHECK(readable(brood_fd(brood)));
	CHECK_EQ(brood_take(own, results, 2), 2);
	CHECK_EQ(results[0]->verdict.id, first);
	CHECK_EQ(results[0]->verdict.outcome, BROOD_DONE);
	CHECK_STR(results[0]->verdict.name, "job_echo");
	CHECK_EQ(results[0]->reply_size, 3);
	CHECK_MEM(results[0]->reply, "one", 3);
	CHECK(results[0]->context == &o);
	CHECK_EQ(results[1]->verdict.id, second);
	CHECK_MEM(results[1]->reply, "seven", 5);
	CHECK_EQ(brood_queue_out(own), 1);
	CHECK_EQ(brood_take(own, results, 3), 1);
	CHECK_EQ(results[0]->verdict.outcome, BROOD_FAILED);
	CHECK_EQ(results[0]->verdict.code, 7);
	CHECK_EQ(brood_take(own, results, 3), 0);
	CHECK(!readable(brood_fd(brood)));
	CHECK_EQ(pool_stats(brood).submitted, 3);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, take_in_order) { case_run(take_in_order, 10000); }

struct seen {
	struct brood *brood;
	int codes[8], count;
};
static void on_done(void *context, const struct brood_result *result)
{
	struct seen *seen = context;

	seen->codes[seen->count++] = result->verdict.code;
	/* a callback may submit: that one is called at a later dispatch */
	if (result->verdict.code == 1)
		CHECK_EQ(submit_code(seen->brood, 9, on_done, seen), 0);
}

/* Callbacks are called by whoever dispatches, and by nobody else. */
static void callbacks(void)
{
	struct brood *brood = start_inline();
	struct seen seen = { .brood = brood };
	const struct brood_result *result;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(submit_code(brood, i, on_done, &seen), 0);
	CHECK_EQ(submit_code(brood, 5, NULL, NULL), 0);
	CHECK_EQ(seen.count, 0);
	CHECK_EQ(brood_dispatch(brood), 4);
	CHECK_EQ(seen.count, 3);
	CHECK_EQ(seen.codes[2], 2);
	CHECK(readable(brood_fd(brood)));
	CHECK_EQ(brood_queue_out(brood_own_queue(brood)), 2);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(result->verdict.code, 5);
	CHECK_EQ(seen.count, 4);
	CHECK_EQ(seen.codes[3], 9);
	CHECK_EQ(brood_queue_wait(brood_own_queue(brood), 0), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, callbacks) { case_run(callbacks, 10000); }

/* A queue of one's own has its own fd, room and results. */
static void queues(void)
{
	struct brood *brood = start_inline();
	struct brood_queue_options q = { .size = sizeof q, .jobs = 2 };
	struct brood_job_options o = { .size = sizeof o };
	const struct brood_result *results[4];
	int fds = proc_own_fds();

	CHECK_EQ(brood_queue_new(brood, &q, &o.queue), 0);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), -EAGAIN);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, NULL, NULL), 0);
	CHECK(readable(brood_queue_fd(o.queue)));
	CHECK_EQ(brood_queue_wait(o.queue, 1000), 2);
	CHECK(!readable(brood_queue_fd(o.queue)));
	CHECK_EQ(brood_queue_wait(o.queue, 0), 2);
	CHECK_EQ(brood_take(o.queue, results, 1), 1);
	CHECK_EQ(brood_submit(brood, job_echo, "x", 1, &o, NULL), 0);
	CHECK_EQ(brood_take(o.queue, results, 4), 2);
	CHECK_EQ(results[1]->reply_size, 1);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
	CHECK(!brood_queue_free(o.queue));
	CHECK_EQ(pool_stats(brood).dropped, 1);
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(brood_take(brood_own_queue(brood), results, 4), 1);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, queues) { case_run(queues, 10000); }

/* A request in pieces is one for the job; large ones and replies have no bound but memory. */
static void pieces_and_sizes(void)
{
	struct brood *brood = start_inline();
	char ab[] = "ab", cde[] = "cde";
	struct iovec pieces[] = { { ab, 2 }, { NULL, 0 }, { cde, 3 } };
	size_t size = 3u << 20;
	char *large = malloc(size), reply[8];
	const struct brood_result *results[3];

	CHECK(large);
	memset(large, 'q', size);
	CHECK_EQ(brood_submitv(brood, job_echo, pieces, 3, NULL, NULL), 0);
	CHECK_EQ(brood_submitv(brood, job_echo, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(brood_submit(brood, job_echo, large, size, NULL, NULL), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), results, 3), 3);
	CHECK_EQ(results[0]->reply_size, 5);
	CHECK_MEM(results[0]->reply, "abcde", 5);
	CHECK_EQ(results[1]->reply_size, 0);
	CHECK_EQ(results[2]->reply_size, size);
	CHECK_MEM(results[2]->reply, large, size);
	CHECK_EQ(brood_callv(brood, job_echo, pieces, 3, reply, sizeof reply, NULL, NULL), 5);
	CHECK_MEM(reply, "abcde", 5);
	free(large);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, pieces_and_sizes) { case_run(pieces_and_sizes, 10000); }

static void misuse(void)
{
	struct brood *brood = start_inline();
	char byte = 0;
	struct iovec bad = { NULL, 1 },
		     huge[2] = { { &byte, SIZE_MAX / 2 }, { &byte, SIZE_MAX / 2 } };
	struct brood_job_options o = { .size = sizeof o, .dispatch = 3 },
				 newer = { .size = sizeof newer, .reserved[3] = 1 };
	struct brood_queue_options q = { .size = sizeof q, .jobs = 65537 };
	struct brood_queue *queue = NULL;
	struct brood_lease *lease = NULL;
	uint64_t id = 77;

	CHECK_EQ(brood_submit(brood, job_echo, NULL, 1, NULL, &id), -EINVAL);
	CHECK_CONTAINS(brood_error(), "brood_submit: request is NULL");
	CHECK_EQ(brood_submitv(brood, job_echo, &bad, 1, NULL, &id), -EINVAL);
	CHECK_EQ(brood_submitv(brood, job_echo, huge, 2, NULL, &id), -EINVAL);
	CHECK_EQ(brood_submitv(brood, job_echo, &bad, 1025, NULL, &id), -EINVAL);
	CHECK_EQ(brood_callv(brood, job_echo, NULL, 1, NULL, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(brood_submit(brood, job_echo, "", 0, &o, &id), -EINVAL);
	CHECK_EQ(brood_submit(brood, job_echo, "", 0, &newer, &id), -EINVAL);
	CHECK_EQ(brood_submit(brood, NULL, "", 0, NULL, &id), -EFAULT);
	CHECK_EQ(id, 77);
	CHECK_EQ(brood_submit(NULL, job_echo, "", 0, NULL, &id), -EINVAL);
	CHECK_EQ(brood_queue_new(brood, &q, &queue), -EINVAL);
	CHECK_EQ(brood_queue_new(brood, NULL, NULL), -EINVAL);
	CHECK_EQ(brood_lease(brood, NULL, NULL), -EINVAL);
	CHECK(!queue && !lease);
	CHECK_EQ(brood_take(brood_own_queue(brood), NULL, 1), -EINVAL);
	CHECK_EQ(brood_take(NULL, NULL, 0), -EINVAL);
	CHECK_EQ(brood_queue_out(NULL), 0);
	CHECK(!brood_queue_free(NULL) && !brood_lease_end(NULL) && !brood_own_queue(NULL) &&
		!brood_lease_queue(NULL));
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, misuse) { case_run(misuse, 10000); }

/* What a job leaves in memory is there for the next one of the lease. */
static int session;
static int job_session(struct brood_job *job)
{
	char text[8];
	ssize_t n = brood_job_read_all(job, text, sizeof text);

	session += (int)n;
	return brood_job_reply(job, &session, sizeof session) == sizeof session ? 0 : 1;
}

static void leases(void)
{
	struct brood *brood = start_inline();
	struct brood_job_options o = { .size = sizeof o };
	const struct brood_result *result;
	struct brood_verdict v;
	uint32_t slot = 9, generation = 9;
	pid_t pid = -1;
	int sum = 0, fds = proc_own_fds();

	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	CHECK_EQ(brood_lease_worker(o.lease, &pid, &slot, &generation), 0);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(slot, 0);
	CHECK_EQ(generation, 1);
	CHECK_EQ(pool_stats(brood).leased, 1);
	CHECK_EQ(brood_call(brood, job_session, "abc", 3, &sum, sizeof sum, &o, &v), sizeof sum);
	CHECK_EQ(v.path, BROOD_PATH_LEASE);
	CHECK_EQ(brood_submit(brood, job_session, "ab", 2, &o, NULL), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 0);
	CHECK_EQ(brood_queue_wait(brood_lease_queue(o.lease), 1000), 1);
	CHECK_EQ(brood_take(brood_lease_queue(o.lease), &result, 1), 1);
	CHECK_EQ(*(const int *)result->reply, 5);
	CHECK(!brood_lease_end(o.lease));
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(pool_stats(brood).leased, 0);
	CHECK_EQ(pool_stats(brood).leases, 1);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, leases) { case_run(leases, 10000); }

/* Results that are there when the pool stops can still be had. */
static void after_stop(void)
{
	struct brood *brood = start_inline();
	struct brood_queue *own = brood_own_queue(brood);
	struct brood_job_options o = { .size = sizeof o };
	const struct brood_result *result;
	struct seen seen = { .brood = brood };

	CHECK_EQ(brood_queue_new(brood, NULL, &o.queue), 0);
	CHECK_EQ(brood_submit(brood, job_echo, "late", 4, &o, NULL), 0);
	CHECK_EQ(submit_code(brood, 3, NULL, NULL), 0);
	CHECK_EQ(submit_code(brood, 4, on_done, &seen), 0);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_submit(brood, job_echo, "", 0, &o, NULL), -ESHUTDOWN);
	CHECK_EQ(brood_take(o.queue, &result, 1), 1);
	CHECK_MEM(result->reply, "late", 4);
	CHECK(!brood_queue_free(o.queue));
	CHECK_EQ(brood_take(own, &result, 1), 1);
	CHECK_EQ(result->verdict.code, 3);
	CHECK_EQ(seen.count, 1);
}
Test(inline_submit, after_stop) { case_run(after_stop, 10000); }

/* From many threads, one queue: each result once. */
#define EACH 60
static void *submit_often(void *arg)
{
	for (int i = 0; i < EACH; i++)
		CHECK_EQ(submit_code(arg, i, NULL, NULL), 0);
	return NULL;
}

static void threads(void)
{
	struct brood *brood = start_inline();
	struct brood_queue *own = brood_own_queue(brood);
	const struct brood_result *results[16];
	pthread_t all[4];
	int count[EACH] = { 0 };
	int taken = 0, fds = proc_own_fds();

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&all[i], NULL, submit_often, brood), 0);
	while (taken < 4 * EACH) {
		int n = brood_take(own, results, 16);

		for (int i = 0; i < n; i++)
			count[results[i]->verdict.code]++;
		taken += n;
		if (n == 0)
			CHECK_GE(brood_queue_wait(own, 10000), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(all[i], NULL);
	for (int i = 0; i < EACH; i++)
		CHECK_EQ(count[i], 4);
	CHECK_EQ(brood_queue_wait(own, 0), 0);
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_submit, threads) { case_run(threads, 30000); }
