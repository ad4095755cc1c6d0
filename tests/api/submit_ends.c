/* SPDX-License-Identifier: MIT */
/*
 * submit_ends.c - queues and leases that come to an end with jobs in them, each case twice: with
 * workers, and inline.
 */
#include "submit.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>

TestSuite(submit, .timeout = 120);

/*
 * All that lies in the ring was withdrawn, and its worker has passed it by while nobody looked: it
 * is idle, and what must not stand behind anything goes there. (The engine used to go round for
 * ever, without a look at it.)
 */
static void all_withdrawn(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o };
	const struct brood_result *result;
	struct brood_queue *q;
	struct pollfd p = { .events = POLLIN };
	uint64_t id;
	pid_t pid;

	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	CHECK_EQ(brood_lease_worker(o.lease, &pid, NULL, NULL), 0);
	q = brood_lease_queue(o.lease);
	p.fd = brood_queue_fd(q);
	CHECK_GE(p.fd, 0);
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, &id), 0);
	CHECK_EQ(brood_cancel(brood, id), 0);
	CHECK_GE(brood_queue_dispatch(q), 0);
	CHECK_EQ(brood_take(q, &result, 1), 1);
	CHECK_EQ(result->verdict.outcome, BROOD_CANCELLED);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(poll(&p, 1, BOUND), 1); /* it says that it has passed it by; nobody looks */
	o.flags = BROOD_JOB_ONCE;
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, NULL), 0);
	CHECK(!brood_lease_end(o.lease));
	CHECK_EQ(brood_stop(brood), 0);
}
Test(submit, all_withdrawn) { case_run(all_withdrawn, 2 * BOUND); }

/*
 * A queue that nobody looks at any more has leases that are over, and each of them a lease page:
 * those who work get them.
 */
static void forgotten_queues(void)
{
	struct brood_options options = { .workers = 1, .dispatch = BROOD_PATH_LEASE };
	struct brood *brood = pool_start(&options);
	struct brood_queue *queues[100];
	int count;

	for (int i = 0; i < 100; i++) { /* more than the lease pages of one worker, 68 */
		CHECK_EQ(brood_queue_new(brood, NULL, &queues[i]), 0);
		CHECK_EQ(
			submit_arg(brood, i, &(struct brood_job_options){ .queue = queues[i] }), 0);
		CHECK_EQ(sum_of(queues[i], &count), i);
		CHECK_EQ(count, 1);
	}
	for (int i = 0; i < 100; i++)
		brood_queue_free(queues[i]);
	pool_stop(brood);
}
Test(submit, forgotten_queues) { case_run(forgotten_queues, 2 * BOUND); }

/*
 * Its worker dies, and another call reads that from the channel: whoever comes next with this lease
 * hears of it at once. (What was given after the look, and before that reading, used to wait for
 * its queue_ms.)
 */
static void over_unseen(void)
{
	struct brood *brood = start();
	struct brood_job_options handoff = { .size = sizeof handoff,
		.dispatch = BROOD_PATH_HANDOFF };

	for (int way = 0; way < 2; way++) {
		struct brood_job_options o = { .size = sizeof o };
		struct brood_handle *handle = NULL;
		int fd = -1;
		pid_t pid;

		CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
		CHECK_EQ(brood_lease_worker(o.lease, &pid, NULL, NULL), 0);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		CHECK(WAIT_UNTIL(
			pool_stats(brood).died == (uint64_t)way + 1 && pool_full(brood), BOUND));
		/* Said before this one's verdict, so read before it. */
		CHECK_EQ(pool_call_with(brood, job_nothing, &handoff).outcome, BROOD_DONE);
		if (way)
			CHECK_EQ(brood_open(brood, job_nothing, &o, &fd, &handle), -ESTALE);
		else
			CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, NULL),
				-ESTALE);
		CHECK(!handle && fd == -1);
		CHECK(!brood_lease_end(o.lease));
	}
	CHECK_EQ(brood_stop(brood), 0);
}
Test(submit, over_unseen) { case_run(over_unseen, 2 * BOUND); }

/*
 * What came in the stop is called back after it, and counted. A file that is not open is named, and
 * the call has a verdict.
 */
static void after_stop_done(void *context, const struct brood_result *result)
{
	*(int *)context = result->verdict.outcome == BROOD_DONE;
}
static void ends(void)
{
	struct brood *brood = start();
	int done = 0, closed = 1000; /* no number that the call itself could take */
	struct brood_job_options o = { .size = sizeof o,
		.on_done = after_stop_done,
		.context = &done },
				 wrong = { .size = sizeof wrong, .fds = &closed, .fds_count = 1 };
	struct brood_stats s = { .size = sizeof s };
	struct brood_verdict v = { .outcome = BROOD_LOST };

	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &wrong, &v), -EBADF);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_STR(v.name, "job_nothing");
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_dispatch(brood), -ESHUTDOWN);
	CHECK(done);
	CHECK_EQ(brood_stats(brood, &s), 0);
	CHECK_EQ(s.verdicts[BROOD_DONE], 1);
}
TWICE(ends)
