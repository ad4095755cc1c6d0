/* SPDX-License-Identifier: MIT */
/* lease_handles.c - pinned leases: the wait for one, and handles that outlive it. */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

TestSuite(lease_handles, .timeout = 120);

#define WAIT_MS 10000
/* for how long the thread is held up while the lease's end waits for it */
#define HELD_MS 300

static struct brood_handle *handle;
static atomic_int waiter_tid, held, ended;
static _Atomic uint64_t until; /* 0: the lease's end has not begun */

/* The thread has been woken, perhaps, and does not come back before the lease has ended. */
static void hold_up(int signal)
{
	(void)signal;
	atomic_store(&held, 1);
	while (!atomic_load(&ended) &&
		(atomic_load(&until) == 0 || test_now_ms() < atomic_load(&until)))
		;
}

static void *wait_for_handle(void *unused)
{
	struct brood_verdict v;

	(void)unused;
	atomic_store(&waiter_tid, gettid());
	CHECK_EQ(brood_wait(handle, BROOD_FOREVER, &v), 0);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	return NULL;
}

static int begins_and_sleeps(struct brood_job *job)
{
	brood_job_write(job, "!", 1);
	return job_sleep_forever(job);
}

static void end_under_waiter(bool polled)
{
	struct brood_options options = { .size = sizeof options, .workers = 1 };
	struct brood_job_options job = { .size = sizeof job };
	struct brood *brood = pool_start(&options);
	struct brood_lease *lease;
	pthread_t thread;
	pid_t worker;
	char began;
	int fd;

	signal(SIGUSR1, hold_up);
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	if (polled)
		CHECK_GE(brood_queue_fd(brood_lease_queue(lease)), 0);
	CHECK_EQ(brood_lease_worker(lease, &worker, NULL, NULL), 0);
	job.lease = lease;
	CHECK_EQ(brood_open(brood, begins_and_sleeps, &job, &fd, &handle), 0);
	CHECK_EQ(read(fd, &began, 1), 1);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_handle, NULL), 0);
	CHECK(WAIT_UNTIL(
		atomic_load(&waiter_tid) && proc_state(atomic_load(&waiter_tid)) == 'S', WAIT_MS));
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	CHECK(WAIT_UNTIL(atomic_load(&held), WAIT_MS));
	kill(worker, SIGKILL);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 &&
			brood_lease_worker(lease, NULL, NULL, NULL) == -ESTALE,
		WAIT_MS));
	atomic_store(&until, test_now_ms() + HELD_MS);
	brood_lease_end(lease);
	atomic_store(&ended, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	brood_release(handle);
	close(fd);
	pool_stop(brood);
}

static void end_plain(void) { end_under_waiter(false); }
static void end_polled(void) { end_under_waiter(true); }
Test(lease_handles, a_lease_ends_under_who_waits_for_a_handle) { case_run(end_plain, 30000); }
Test(lease_handles, so_does_one_that_is_polled) { case_run(end_polled, 30000); }

/* All but for ever, and the library waits for a little longer than that. */
static void nearly_forever(void)
{
	const struct brood_lease_options o = { .size = sizeof o, .wait_ms = BROOD_FOREVER - 999 };
	struct brood *brood = pool_start_workers(1);
	struct brood_lease *lease;

	CHECK_EQ(brood_lease(brood, &o, &lease), 0);
	brood_lease_end(lease);
	pool_stop(brood);
}
Test(lease_handles, wait_ms_may_be_nearly_forever) { case_run(nearly_forever, 30000); }
