/*
 * sharing.c - who has the workers when there are few: a lease that is asked for takes no worker from
 * the job that it was asked for.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
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

/* Had the lease taken the worker from the job, the job would have had it taken back. */
static void one_worker(void)
{
	start(1);
	CHECK_GT(on_a_lease(), CALLS / 2);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	pool_stop(brood);
}
Test(sharing, one_worker_is_lent_once) { case_run(one_worker, 30000); }

static void *caller(void *unused)
{
	(void)unused;
	CHECK_GT(on_a_lease(), CALLS / 2);
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

/* An explicit lease has one worker for ever. The other one is the last. */
static void beside_an_explicit_lease(void)
{
	struct brood_lease *kept;

	start(2);
	CHECK_EQ(brood_lease(brood, NULL, &kept), 0);
	CHECK_GT(on_a_lease(), CALLS / 2);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	CHECK(brood_lease_end(kept) == NULL);
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

/* A conversation needs the one worker; of two it leaves one for a lease. */
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
		CHECK_GT(leased, CALLS / 2);
	CHECK_EQ(pool_stats(brood).leases_revoked, 0);
	pool_stop(brood);
}
static void one_conversation(void) { conversations(1); }
static void one_of_two(void) { conversations(2); }
Test(sharing, a_conversation_goes_before_the_lease) { case_run(one_conversation, 30000); }
Test(sharing, a_conversation_leaves_one_for_the_lease) { case_run(one_of_two, 30000); }
