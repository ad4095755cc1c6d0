/* SPDX-License-Identifier: MIT */
/* queue_odd.c - jobs of queues where few workers, few files and many threads meet. */
#include "../helpers/pool.h"

#include "../../src/engine/lease_state.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(queue_odd, .timeout = 120);

#define WAIT_MS 10000

static struct brood *brood;
static struct brood_queue *queue;

/* ---- behind a long job, on the only worker ---- */

static int short_or_long(struct brood_job *job)
{
	size_t size;
	const char *what = brood_job_arg(job, &size);

	return size == 1 && *what == 'l' ? job_until_cancelled(job) : 0;
}

static uint64_t give(char what, uint32_t queue_ms)
{
	struct brood_job_options o = { .size = sizeof o,
		.arg = &what,
		.arg_size = 1,
		.queue = queue,
		.dispatch = BROOD_PATH_LEASE,
		.run_ms = BROOD_FOREVER,
		.queue_ms = queue_ms };
	uint64_t id;

	CHECK_EQ(brood_submit(brood, short_or_long, "", 0, &o, &id), 0);
	return id;
}

static struct brood_verdict take(void)
{
	const struct brood_result *result;

	CHECK_GE(brood_queue_wait(queue, (uint32_t)test_scaled(WAIT_MS)), 1);
	CHECK_EQ(brood_take(queue, &result, 1), 1);
	return result->verdict;
}

static void late_in_ring(void)
{
	struct brood_verdict v;
	uint64_t running, late;

	brood = pool_start_workers(1);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	for (int i = 0; i < 50; i++) { /* it is known to be short */
		give('s', BROOD_FOREVER);
		v = take();
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	running = give('l', BROOD_FOREVER);
	late = give('s', 50);
	v = take();
	CHECK_EQ(v.id, late);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME);
	CHECK_EQ(brood_cancel(brood, running), 0);
	v = take();
	CHECK_EQ(v.id, running);
	brood_queue_free(queue);
	pool_stop(brood);
}
Test(queue_odd, queue_ms_holds_behind_a_long_job) { case_run(late_in_ring, 30000); }

/* ---- a verdict between two rounds of one dispatch ---- */

static int until_end(struct brood_job *job)
{
	char c;

	while (brood_job_read(job, &c, 1) > 0)
		;
	return 0;
}

static int conversation;

/* So many workers have done a job that nobody has collected. */
static bool are_done(uint32_t workers)
{
	struct queue *l = (struct queue *)brood_own_queue(brood);
	uint32_t done = 0;

	queue_lock(l);
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		done += lease->state == LEASE_ACTIVE && atomic_load(&lease->up->done) != 0 &&
			atomic_load(&lease->up->done) != lease->collected;
	}
	queue_unlock(l);
	return done == workers;
}

static void end_conversation(void *context, const struct brood_result *result)
{
	(void)context;
	(void)result;
	close(conversation);
	CHECK(WAIT_UNTIL(are_done(1), WAIT_MS));
}

static int dispatch_all(int fd, struct brood_handle *handle)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int count = 0;

	while (brood_fetch(handle, NULL) < 0) {
		int n;

		CHECK_EQ(poll(&p, 1, test_scaled(WAIT_MS)), 1);
		n = brood_dispatch(brood);
		CHECK_GE(n, 0);
		count += n;
	}
	return count;
}

static void one_more(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, test_scaled(WAIT_MS)), 1);
	CHECK_EQ(brood_dispatch(brood), 1);
}

static void between_rounds(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_handle *handle;
	int fd;

	brood = pool_start_workers(2);
	fd = brood_fd(brood);
	CHECK_GE(fd, 0);
	CHECK_EQ(brood_open(brood, until_end, &o, &conversation, &handle), 0);
	o.on_done = end_conversation;
	CHECK_EQ(brood_submit(brood, job_nothing, "", 0, &o, NULL), 0);
	CHECK_EQ(dispatch_all(fd, handle), 2);
	brood_release(handle);
	pool_stop(brood);
}
Test(queue_odd, one_dispatch_counts_what_its_rounds_bring) { case_run(between_rounds, 30000); }

/* Another thread, which waits for results, closes the handle: brood_dispatch() tells of it. */
static void by_another(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	const struct brood_result *result;
	struct brood_handle *handle;
	int fd;

	brood = pool_start_workers(2);
	fd = brood_fd(brood);
	CHECK_EQ(brood_open(brood, until_end, &o, &conversation, &handle), 0);
	close(conversation);
	CHECK(WAIT_UNTIL(are_done(1), WAIT_MS));
	CHECK_EQ(brood_submit(brood, job_nothing, "", 0, &o, NULL), 0);
	CHECK_EQ(brood_queue_wait(brood_own_queue(brood), (uint32_t)test_scaled(WAIT_MS)), 1);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(brood_fetch(handle, NULL), 0);
	CHECK_EQ(dispatch_all(fd, handle), 0);
	one_more(fd);
	brood_release(handle);
	pool_stop(brood);
}
Test(queue_odd, a_handle_that_another_thread_closed) { case_run(by_another, 30000); }

/*
 * A thread waits for one conversation. It is held up while a dispatch counts that one's verdict,
 * and finds another one's before the dispatch is over: that is counted, too.
 */
static struct brood_handle *waited_for;
static atomic_int waiter_tid, held, go;
static pthread_t waiter;

static void hold_up(int signal)
{
	(void)signal;
	atomic_store(&held, 1);
	while (!atomic_load(&go))
		;
}

static void *wait_for_one(void *unused)
{
	(void)unused;
	atomic_store(&waiter_tid, gettid());
	CHECK_EQ(brood_wait(waited_for, BROOD_FOREVER, NULL), 0);
	return NULL;
}

static void end_the_other(void *context, const struct brood_result *result)
{
	(void)context;
	(void)result;
	close(conversation);
	CHECK(WAIT_UNTIL(are_done(1), WAIT_MS));
	atomic_store(&go, 1);
	CHECK_EQ(pthread_join(waiter, NULL), 0);
}

static void counted_before(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_handle *other, *third;
	int fd, first, last;

	signal(SIGUSR1, hold_up);
	brood = pool_start_workers(3);
	fd = brood_fd(brood);
	CHECK_EQ(brood_open(brood, until_end, &o, &first, &waited_for), 0);
	CHECK_EQ(brood_open(brood, until_end, &o, &conversation, &other), 0);
	/* it runs, so the two before it do; and its worker is idle afterwards */
	CHECK_EQ(brood_open(brood, until_end, &o, &last, &third), 0);
	close(last);
	CHECK_EQ(brood_wait(third, (uint32_t)test_scaled(WAIT_MS), NULL), 0);
	brood_release(third);
	CHECK_EQ(pthread_create(&waiter, NULL, wait_for_one, NULL), 0);
	CHECK(WAIT_UNTIL(
		atomic_load(&waiter_tid) && proc_state(atomic_load(&waiter_tid)) == 'S', WAIT_MS));
	CHECK_EQ(pthread_kill(waiter, SIGUSR1), 0);
	CHECK(WAIT_UNTIL(atomic_load(&held), WAIT_MS));
	o.on_done = end_the_other;
	CHECK_EQ(brood_submit(brood, job_nothing, "", 0, &o, NULL), 0);
	CHECK(WAIT_UNTIL(are_done(1), WAIT_MS));
	close(first);
	CHECK(WAIT_UNTIL(are_done(2), WAIT_MS));
	CHECK_EQ(dispatch_all(fd, other), 2);
	one_more(fd);
	brood_release(waited_for);
	brood_release(other);
	pool_stop(brood);
}
Test(queue_odd, a_wait_takes_no_verdict_off_the_count) { case_run(counted_before, 30000); }

/* ---- workers with few files ---- */

/* So few that a lease's fds have room, and a job's have not. */
static int take_files(void *unused)
{
	struct rlimit limit;
	int room = 8, fd;

	(void)unused;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = 64;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		;
	for (fd = 63; room > 0; fd--, room--)
		close(fd);
	return 0;
}

static int has_fds(struct brood_job *job) { return brood_job_extra_fds(job) == 16 ? 0 : 1; }

static void few_files(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .worker_init = take_files
	};
	int fds[16];
	struct brood_job_options o = {
		.size = sizeof o, .dispatch = BROOD_PATH_LEASE, .fds = fds, .fds_count = 16
	};
	struct brood_verdict v;

	for (size_t i = 0; i < 16; i++)
		fds[i] = STDERR_FILENO;
	brood = pool_start(&options);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	o.queue = queue;
	CHECK_EQ(brood_submit(brood, has_fds, "", 0, &o, NULL), 0);
	v = take();
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_FD_LOST);
	brood_queue_free(queue);
	pool_stop(brood);
}
Test(queue_odd, a_job_does_not_run_without_its_fds) { case_run(few_files, 30000); }

/* ---- results that nobody takes ---- */

static void untaken(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_handle *handle;
	struct brood_verdict v;
	int fd, r;

	brood = pool_start_workers(2);
	CHECK_GE(brood_fd(brood), 0);
	do
		r = brood_submit(brood, job_nothing, "", 0, &o, NULL);
	while (r == 0);
	CHECK_EQ(r, -EAGAIN);
	CHECK(WAIT_UNTIL(
		brood_dispatch(brood) >= 0 && pool_stats(brood).verdicts[BROOD_DONE] >= 4096,
		60000));
	CHECK_EQ(brood_cancel(brood, 0), -ENOENT); /* another sentence */
	CHECK_EQ(brood_open(brood, job_nothing, &o, &fd, &handle), -EAGAIN);
	CHECK_CONTAINS(brood_error(), "dispatch or take");
	/* not forced: the pool has room for it */
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &handle), 0);
	CHECK_EQ(brood_wait(handle, (uint32_t)test_scaled(WAIT_MS), &v), 0);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	brood_release(handle);
	close(fd);
	pool_stop(brood);
}
Test(queue_odd, untaken_results_leave_the_pool_room) { case_run(untaken, 90000); }

/* ---- after the stop ---- */

static void after_stop(void)
{
	brood = pool_start_workers(1);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	CHECK_GE(brood_queue_fd(queue), 0);
	pool_stop(brood);
	CHECK_EQ(brood_queue_fd(queue), -ESHUTDOWN);
	errno = 0;
	CHECK(!brood_own_queue(brood)); /* there is none, and none is made any more */
	CHECK_EQ(errno, ESHUTDOWN);
	brood_queue_free(queue);
}
Test(queue_odd, a_stopped_brood_has_no_new_queue) { case_run(after_stop, 30000); }
