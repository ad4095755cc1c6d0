/* SPDX-License-Identifier: MIT */
/*
 * engine_submit.c - submitted jobs that are handed off, and the threads that wait for them. The
 * supervisor is a fake one.
 */
#include "engine.h"

#include "../../src/engine/queue.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(engine_submit, .timeout = 120);

static struct brood_queue *queue;

/* And nothing that came before will wake it. */
static bool somebody_leads(void)
{
	struct queue *l = (struct queue *)queue;
	bool leads;

	queue_lock(l);
	leads = l->sleep.leader && !peer_readable(l->inbox.wake_fd);
	queue_unlock(l);
	return leads;
}

static uint32_t sleepers(void)
{
	struct queue *l = (struct queue *)queue;
	uint32_t count;

	queue_lock(l);
	count = l->sleep.leader != NULL;
	list_for_each_safe(link, tmp, &l->sleep.followers)
		count++;
	queue_unlock(l);
	return count;
}

static void begin(uint32_t records)
{
	start(records);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queue), 0);
}

static void submit(brood_done_fn *on_done)
{
	const struct brood_job_options o = { .size = sizeof o, .queue = queue, .on_done = on_done };
	const struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = &o };

	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

static atomic_int came;

static void *wait_for_results(void *context)
{
	(void)context;
	intptr_t n = engine_queue_wait(queue, BROOD_FOREVER);

	atomic_fetch_add(&came, 1);
	return (void *)n;
}

/* ---- two threads, one result ---- */

/* The other thread leads by the time that the callback ends. */
static void told(void *context, const struct brood_result *result)
{
	(void)context;
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(somebody_leads(), PEER_WAIT_MS));
}

static void last_callback(void)
{
	pthread_t threads[2];
	struct peer_job job;
	ssize_t results = 0;

	begin(4);
	submit(told);
	peer_job(&peer, &job);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_results, NULL), 0);
	CHECK(WAIT_UNTIL(sleepers() == 2, PEER_WAIT_MS));
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK(WAIT_UNTIL(atomic_load(&came) == 2, PEER_WAIT_MS)); /* no job is out any more */
	for (int i = 0; i < 2; i++)
		results += peer_join(threads[i]);
	CHECK_EQ(results, 1);
	engine_queue_free(queue);
}
Test(engine_submit, the_last_callback_lets_all_go) { case_run(last_callback, 30000); }

/* ---- what the kernel has no room for ---- */

/* As in engine_queue.c: more fds in flight than this user may have. */
static void few_in_flight(void)
{
	struct rlimit limit = { 100, 100 };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (geteuid() == 0)
		CHECK_EQ(setresuid(100000 + (uid_t)getpid(), 100000 + (uid_t)getpid(),
				 100000 + (uid_t)getpid()),
			0);
}

enum { FLIGHT = 25, EACH = 4 };

/* Each job takes several fds along, but few of its own here. */
static void submit_many(void)
{
	const int fds[EACH] = { 2, 2, 2, 2 };
	const struct brood_job_options o = {
		.size = sizeof o, .queue = queue, .fds = fds, .fds_count = EACH
	};
	const struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = &o };

	for (int i = 0; i < FLIGHT; i++)
		CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

static struct peer_job flying[FLIGHT];

/* fd: the queue's, if somebody polls it; else threads wait. */
static void all_arrive(int fd)
{
	for (int i = 0; i < FLIGHT; i++) {
		CHECK(WAIT_UNTIL(peer_readable(peer.channel) ||
				(fd >= 0 && peer_readable(fd) && engine_queue_dispatch(queue) < 0),
			PEER_WAIT_MS));
		peer_job(&peer, &flying[i]);
		peer_finish(&peer, &flying[i], BROOD_DONE);
	}
}

static void unsent_under_sleeper(void)
{
	pthread_t thread;
	struct peer_job job;

	begin(100);
	few_in_flight();
	submit(NULL);
	peer_job(&peer, &job);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_results, NULL), 0);
	CHECK(WAIT_UNTIL(sleepers() == 1, PEER_WAIT_MS));
	submit_many();
	/* the thread that sleeps has none of these jobs' verdicts, and sends them all the same */
	for (int i = 0; i < FLIGHT; i++) {
		peer_job(&peer, &flying[i]);
		flying[i].fd = close_fd(flying[i].fd);
	}
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK_GE(peer_join(thread), 1);
	engine_queue_free(queue);
}
Test(engine_submit, a_sleeping_thread_sends_what_waits) { case_run(unsent_under_sleeper, 30000); }

static void unsent_under_poller(void)
{
	int fd;

	begin(100);
	few_in_flight();
	fd = engine_queue_fd(queue);
	CHECK_GE(fd, 0);
	submit_many();
	all_arrive(fd);
	CHECK(WAIT_UNTIL(engine_queue_dispatch(queue) == 0, PEER_WAIT_MS));
	CHECK(WAIT_UNTIL(!peer_readable(fd) || engine_queue_dispatch(queue) < 0, PEER_WAIT_MS));
	engine_queue_free(queue);
}
Test(engine_submit, an_event_loop_sends_what_waits) { case_run(unsent_under_poller, 30000); }
