/* SPDX-License-Identifier: MIT */
/*
 * sharing.c - which job gets a worker when there are few. A lease request takes no worker from the
 * job that asked for it, and no job stands behind a long one while another worker is idle.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(sharing, .timeout = 120);

#define CALLS 300

static struct brood *brood;

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .lease_idle_ms = 600000 };

	brood = pool_start(&options);
}

/* ---- the last worker that is idle ---- */

static int on_a_lease(void)
{
	int count = 0;

	for (int i = 0; i < CALLS; i++)
		count += POOL_CALL(brood, job_nothing).path == BROOD_PATH_LEASE;
	return count;
}

/* If the lease had taken the worker, it would have been recalled for the job. */
static void one_worker(void)
{
	start(1);
	CHECK_GT(on_a_lease(), 0);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	pool_stop(brood);
}
Test(sharing, one_worker_is_lent_once) { case_run(one_worker, 30000); }

static void *caller(void *unused)
{
	(void)unused;
	CHECK_GT(on_a_lease(), 0);
	return NULL;
}

static void two_callers(void)
{
	pthread_t threads[2];

	start(2);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, caller, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	pool_stop(brood);
}
Test(sharing, two_callers_have_a_worker_each) { case_run(two_callers, 30000); }

/* A pinned lease has one worker for ever. The other worker is the last one. */
static void beside_an_explicit_lease(void)
{
	struct brood_lease *pinned;

	start(2);
	CHECK_EQ(brood_lease(brood, NULL, &pinned), 0);
	CHECK_GT(on_a_lease(), 0);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	CHECK(brood_lease_end(pinned) == NULL);
	pool_stop(brood);
}
Test(sharing, the_last_one_beside_an_explicit_lease) { case_run(beside_an_explicit_lease, 30000); }

static int until_eof(struct brood_job *job)
{
	char c;

	return brood_job_read(job, &c, 1) == 0 ? 0 : 1;
}

static enum brood_path converse(void)
{
	struct brood_handle *handle;
	struct brood_verdict v;
	int fd;

	CHECK_EQ(brood_open(brood, until_eof, NULL, &fd, &handle), 0);
	close(fd);
	CHECK_EQ(brood_wait(handle, test_scaled(10000), &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	brood_release(handle);
	return v.path;
}

/* An opened job needs the one worker. Of several workers it leaves one for a lease. */
static void conversations(uint32_t workers)
{
	int leased = 0;

	start(workers);
	CHECK_GE(brood_fd(brood), 0);
	for (int i = 0; i < CALLS; i++)
		leased += converse() == BROOD_PATH_LEASE;
	if (workers == 1)
		CHECK_EQ(leased, 0);
	else
		CHECK_GT(leased, 0);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	pool_stop(brood);
}
static void one_conversation(void) { conversations(1); }
static void one_of_four(void) { conversations(4); }
Test(sharing, a_conversation_goes_before_the_lease) { case_run(one_conversation, 30000); }
Test(sharing, a_conversation_leaves_one_for_the_lease) { case_run(one_of_four, 30000); }

/* ---- behind a long job ---- */

#define SHORTS 4
#define LONGS  2
#define BOUND  10000 /* ms: a short job behind a long one would not be done by then */

/* Shared by engine and workers: the long jobs run until this lets them end. */
static struct {
	_Atomic int began[LONGS], go[LONGS];
} * gates;
static struct brood_queue *queue;
static int shorts_done, longs_done;

/* Long and short jobs have one function, so nothing tells beforehand which is which. */
static int either(struct brood_job *job)
{
	int which = *(const int *)brood_job_request(job, NULL);

	if (which < 0)
		return 0;
	atomic_store(&gates->began[which], 1);
	while (!atomic_load(&gates->go[which]))
		poll(NULL, 0, 1);
	return 0;
}

static void count(void *which, const struct brood_result *result)
{
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	*(int *)which += 1;
}

static void give(struct brood_queue *to, int which, bool more)
{
	struct brood_job_options o = { .size = sizeof o, .queue = to, .on_done = count };

	o.dispatch = BROOD_PATH_LEASE;
	o.context = which < 0 ? &shorts_done : &longs_done;
	o.flags = more ? BROOD_JOB_MORE : 0;

	CHECK_EQ(brood_submit(brood, either, &which, sizeof which, &o, NULL), 0);
}

static void wait_for(struct brood_queue *in, const int *done, int count_wanted)
{
	uint64_t end = test_now_ms() + (uint64_t)test_scaled(BOUND);

	while (*done < count_wanted && test_now_ms() < end)
		brood_queue_wait(in, 100);
	CHECK_EQ(*done, count_wanted);
}

static void begin(uint32_t workers)
{
	const int shared = MAP_SHARED | MAP_ANONYMOUS;

	gates = mmap(NULL, sizeof *gates, PROT_READ | PROT_WRITE, shared, -1, 0);
	CHECK(gates != MAP_FAILED);
	start(workers);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
}

static void end(void)
{
	brood_queue_free(queue);
	pool_stop(brood);
}

/* The engine knows the function as short, so it puts its jobs behind one another. */
static void learn(struct brood_queue *in)
{
	for (int i = 0; i < 100; i++) {
		give(in, -1, false);
		wait_for(in ? in : brood_own_queue(brood), &shorts_done, i + 1);
	}
	shorts_done = 0;
}

static void long_and_shorts(struct brood_queue *in)
{
	give(in, 0, true);
	for (int i = 0; i < SHORTS; i++)
		give(in, -1, i < SHORTS - 1);
}

static void others_idle(void)
{
	begin(4);
	learn(queue);
	long_and_shorts(queue);
	wait_for(queue, &shorts_done, SHORTS);
	CHECK_EQ(longs_done, 0);
	atomic_store(&gates->go[0], 1);
	wait_for(queue, &longs_done, 1);
	end();
}
Test(sharing, short_jobs_go_to_workers_that_idle) { case_run(others_idle, 60000); }

/* The only other worker is on another queue's lease, and idle. */
static void another_queue_rests(void)
{
	struct brood_queue *other;

	begin(2);
	CHECK_EQ(brood_queue_new(brood, NULL, &other), 0);
	learn(queue);
	give(other, -1, false);
	wait_for(other, &shorts_done, 1);
	shorts_done = 0;
	long_and_shorts(queue);
	wait_for(queue, &shorts_done, SHORTS);
	CHECK_EQ(longs_done, 0);
	atomic_store(&gates->go[0], 1);
	wait_for(queue, &longs_done, 1);
	brood_queue_free(other);
	end();
}
Test(sharing, short_jobs_go_to_a_lease_that_rests) { case_run(another_queue_rests, 60000); }

/*
 * Both workers have a long job, short jobs stand behind one of these, and the other becomes idle.
 */
static void becomes_idle(void)
{
	begin(2);
	learn(queue);
	for (int i = 0; i < LONGS; i++) {
		give(queue, i, false);
		while (!atomic_load(&gates->began[i]))
			brood_queue_wait(queue, 1);
	}
	for (int i = 0; i < SHORTS; i++)
		give(queue, -1, i < SHORTS - 1);
	CHECK_EQ(brood_queue_wait(queue, 20), -ETIMEDOUT);
	atomic_store(&gates->go[0], 1);
	wait_for(queue, &shorts_done, SHORTS);
	CHECK_EQ(longs_done, 1);
	atomic_store(&gates->go[1], 1);
	wait_for(queue, &longs_done, LONGS);
	end();
}
Test(sharing, a_worker_that_becomes_idle_takes_them) { case_run(becomes_idle, 60000); }

/* The program waits in a poll() of its own. */
static void polled(void)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t until;

	begin(4);
	p.fd = brood_fd(brood);
	CHECK_GE(p.fd, 0);
	learn(NULL);
	long_and_shorts(NULL);
	until = test_now_ms() + (uint64_t)test_scaled(BOUND);
	while (shorts_done < SHORTS && test_now_ms() < until) {
		poll(&p, 1, 100);
		CHECK_GE(brood_dispatch(brood), 0);
	}
	CHECK_EQ(shorts_done, SHORTS);
	CHECK_EQ(longs_done, 0);
	atomic_store(&gates->go[0], 1);
	wait_for(brood_own_queue(brood), &longs_done, 1);
	end();
}
Test(sharing, short_jobs_are_moved_while_the_program_polls) { case_run(polled, 60000); }
