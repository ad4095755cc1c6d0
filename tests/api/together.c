/* SPDX-License-Identifier: MIT */
/*
 * together.c - several threads, or threads and an event loop, on one queue or one lease: each gets
 * what is its own, and gets it although others sleep there.
 */
#include "pool.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(together, .timeout = 120);

#define BOUND   20000
#define THREADS 8

static struct brood *brood;
static struct brood *start(const struct brood_options *options)
{
	return brood = pool_start(options);
}

/* Ends when something can be read from the fd that came with it. */
static int job_gated(struct brood_job *job)
{
	char c;

	return read(brood_job_extra_fd(job, 0), &c, 1) == 1 ? 0 : 1;
}

static bool joins(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += BOUND / 1000;
	return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

/* ---- calls on one lease ---- */

struct caller {
	pthread_t thread;
	struct brood_lease *lease;
	int gate;
	uint64_t id;
};

static void *calls_gated(void *context)
{
	struct caller *c = context;
	struct brood_job_options o = { .size = sizeof o,
		.lease = c->lease,
		.fds = &c->gate,
		.fds_count = 1,
		.queue_ms = BROOD_FOREVER,
		.run_ms = BROOD_FOREVER,
		.ret_id = &c->id };

	CHECK_EQ(brood_call(brood, job_gated, NULL, 0, NULL, 0, &o, NULL), 0);
	return NULL;
}

/*
 * The first job ends, the others do not: its thread comes back, whichever of them the kernel wakes.
 */
static void one_of_many(void)
{
	struct caller callers[THREADS];
	struct brood_lease *lease;
	int first[2], others[2];

	start(&(struct brood_options){ .workers = 1 });
	CHECK_EQ(pipe(first), 0);
	CHECK_EQ(pipe(others), 0);
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	for (int i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){ .lease = lease, .gate = i ? others[0] : first[0] };
		CHECK_EQ(pthread_create(&callers[i].thread, NULL, calls_gated, &callers[i]), 0);
		CHECK(WAIT_UNTIL(__atomic_load_n(&callers[i].id, __ATOMIC_ACQUIRE) != 0, BOUND));
	}
	CHECK_EQ(write(first[1], "x", 1), 1);
	CHECK(joins(callers[0].thread));
	CHECK_EQ(write(others[1], "xxxxxxx", THREADS - 1), THREADS - 1);
	for (int i = 1; i < THREADS; i++)
		CHECK(joins(callers[i].thread));
	CHECK(!brood_lease_end(lease));
	pool_stop(brood);
}
Test(together, one_of_many) { case_run(one_of_many, 2 * BOUND); }

/* ---- results of one queue ---- */

static void *waits_for_results(void *queue)
{
	const struct brood_result *results[THREADS];
	long taken = 0;
	int n;

	while ((n = brood_queue_wait(queue, BOUND)) > 0)
		taken += brood_take(queue, results, THREADS);
	CHECK_EQ(n, 0);
	return (void *)taken;
}

/* All come back when nothing is out any more. */
static void takers(void)
{
	struct brood_queue *queue;
	pthread_t threads[THREADS];
	int gate[2];
	struct brood_job_options o = { .size = sizeof o, .fds_count = 1, .fds = &gate[0] };
	long all = 0;

	start(&(struct brood_options){ .workers = 2 });
	CHECK_EQ(pipe(gate), 0);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	o.queue = queue;
	for (int i = 0; i < 5; i++)
		CHECK_EQ(brood_submit(brood, job_gated, NULL, 0, &o, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, waits_for_results, queue), 0);
	CHECK_EQ(write(gate[1], "xxxxx", 5), 5);
	for (int i = 0; i < THREADS; i++) {
		void *taken;

		CHECK_EQ(pthread_join(threads[i], &taken), 0);
		all += (long)taken;
	}
	CHECK_EQ(all, 5);
	brood_queue_free(queue);
	pool_stop(brood);
}
Test(together, takers) { case_run(takers, 2 * BOUND); }

/* Conversations are no results. */
static void nothing_to_take(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct brood_handle *handle;
	int fd;

	start(&(struct brood_options){ .workers = 2 });
	CHECK_EQ(brood_open(brood, job_echo, &o, &fd, &handle), 0);
	CHECK_EQ(brood_queue_out(brood_own_queue(brood)), 0);
	CHECK_EQ(brood_queue_wait(brood_own_queue(brood), BOUND), 0);
	close(fd);
	CHECK_EQ(brood_wait(handle, BOUND, NULL), 0);
	CHECK_EQ(brood_queue_wait(brood_own_queue(brood), BOUND), 0);
	brood_release(handle);
	pool_stop(brood);
}
Test(together, nothing_to_take) { case_run(nothing_to_take, 2 * BOUND); }

/* ---- an event loop, and a thread that waits ---- */

static _Atomic bool enough;
static void *opens_and_waits(void *unused)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };

	while (!enough) {
		struct brood_handle *handle;
		struct brood_verdict v;
		int fd;

		CHECK_EQ(brood_open(brood, job_echo, &o, &fd, &handle), 0);
		usleep(200); /* of a conversation: nothing waits for it */
		close(fd);
		CHECK_EQ(brood_wait(handle, BOUND, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		brood_release(handle);
	}
	return unused;
}

static void counts(void *context, const struct brood_result *result)
{
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	++*(int *)context;
}

/*
 * What the thread finds while it waits is the loop's, and the loop is told of it; what the loop
 * finds is the thread's.
 */
static void loop_and_thread(void)
{
	struct pollfd p = { .events = POLLIN };
	pthread_t threads[2];
	int done = 0;
	struct brood_job_options o = {
		.size = sizeof o, .on_done = counts, .context = &done, .dispatch = BROOD_PATH_LEASE
	};

	start(&(struct brood_options){ .workers = 4 });
	p.fd = brood_fd(brood);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, opens_and_waits, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
		while (done == i) {
			CHECK_EQ(poll(&p, 1, BOUND), 1);
			CHECK_GE(brood_dispatch(brood), 0);
		}
	}
	enough = true;
	/* Whether the loop goes on or not. */
	for (int i = 0; i < 2; i++)
		CHECK(joins(threads[i]));
	pool_stop(brood);
}
Test(together, loop_and_thread) { case_run(loop_and_thread, 3 * BOUND); }

static void *calls_on(void *lease)
{
	struct brood_job_options o = {
		.size = sizeof o, .lease = lease, .queue_ms = BROOD_FOREVER
	};

	while (!enough)
		CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, NULL), 0);
	return NULL;
}

/* The same on one lease, where more than one waits. */
static void loop_and_calls(void)
{
	struct pollfd p = { .events = POLLIN };
	pthread_t threads[3];
	struct brood_queue *queue;
	int done = 0;
	struct brood_job_options o = { .size = sizeof o, .on_done = counts, .context = &done };

	start(&(struct brood_options){ .workers = 1 });
	CHECK_EQ(brood_lease(brood,
			 &(struct brood_lease_options){ .size = sizeof(struct brood_lease_options),
				 .limit_ms = BROOD_FOREVER },
			 &o.lease),
		0);
	queue = brood_lease_queue(o.lease);
	p.fd = brood_queue_fd(queue);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, calls_on, o.lease), 0);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
		while (done == i) {
			CHECK_EQ(poll(&p, 1, BOUND), 1);
			/*
			 * a loop that has more to do: the others find what is its own, and in the
			 * end look for themselves
			 */
			usleep(i % 16 ? 100 : 8000);
			CHECK_GE(brood_queue_dispatch(queue), 0);
		}
	}
	enough = true;
	for (int i = 0; i < 3; i++)
		CHECK(joins(threads[i]));
	CHECK(!brood_lease_end(o.lease));
	pool_stop(brood);
}
Test(together, loop_and_calls) { case_run(loop_and_calls, 3 * BOUND); }

/* ---- progress ---- */

struct talk {
	pthread_t thread;
	_Atomic bool over;
};

static int job_progress(struct brood_job *job)
{
	for (int i = 0; i < 3; i++)
		brood_job_progress(job, "x", 1);
	return 0;
}

static void own(void *context, uint64_t id, const void *data, size_t size)
{
	const struct talk *t = context;

	(void)id, (void)data;
	CHECK_EQ(size, 1);
	CHECK(pthread_equal(t->thread, pthread_self()));
	CHECK(!t->over);
}
static void *calls_with_progress(void *unused)
{
	for (int i = 0; i < 100; i++) {
		struct talk t = { .thread = pthread_self() };
		struct brood_job_options o = { .size = sizeof o,
			.dispatch = BROOD_PATH_LEASE,
			.queue_ms = BROOD_FOREVER,
			.on_progress = own,
			.context = &t };

		CHECK_EQ(brood_call(brood, job_progress, NULL, 0, NULL, 0, &o, NULL), 0);
		t.over = true;
	}
	return unused;
}
/*
 * More threads than workers share a queue of the library's: still each hears of its own job, and
 * before its call returns.
 */
static void progress_of_calls(void)
{
	pthread_t threads[THREADS];

	start(&(struct brood_options){ .workers = 2 });
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, calls_with_progress, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	pool_stop(brood);
}
Test(together, progress_of_calls) { case_run(progress_of_calls, 3 * BOUND); }

static void not_over(void *context, uint64_t id, const void *data, size_t size)
{
	(void)id, (void)data, (void)size;
	CHECK(!((struct talk *)context)->over);
	sched_yield();
	CHECK(!((struct talk *)context)->over);
}
static _Atomic int overs;
static void is_over(void *context, const struct brood_result *result)
{
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	((struct talk *)context)->over = true;
	overs++;
}
static void *dispatches(void *queue)
{
	while (overs < 2000)
		CHECK_GE(brood_queue_dispatch(queue), 0);
	return NULL;
}
/* Two threads dispatch: what one tells of a job is told before the other says that it is done. */
static void progress_before_done(void)
{
	static struct talk talks[2000];
	struct brood_queue *queue;
	pthread_t threads[2];

	start(&(struct brood_options){ .workers = 2 });
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, dispatches, queue), 0);
	for (int i = 0; i < 2000; i++) {
		struct brood_job_options o = { .size = sizeof o,
			.queue = queue,
			.on_progress = not_over,
			.on_done = is_over,
			.context = &talks[i] };

		CHECK_EQ(brood_submit(brood, job_progress, NULL, 0, &o, NULL), 0);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	brood_queue_free(queue);
	pool_stop(brood);
}
Test(together, progress_before_done) { case_run(progress_before_done, 3 * BOUND); }
