/* SPDX-License-Identifier: MIT */
/*
 * cancels.c - pthread_cancel() of threads inside every blocking call: no call is cut short, each
 * returns as it would have; the thread is cancelled after it, and no lock, no job and no lease is
 * left behind.
 */
#define REAL_DEATHS 0
#include "real.h"

#include <poll.h>

enum { ROUNDS = 30 };

struct act {
	atomic_int inside, back; /* just before the call; behind it */
	long result;
	uint32_t dispatch;
	struct brood_queue *queue;
	struct brood_handle *handle;
	struct brood_lease *lease;
};

/* ---- the calls ---- */

static const char sleeps = 's';

static void options_of(const struct act *a, struct brood_job_options *o)
{
	*o = (struct brood_job_options){ .size = sizeof *o,
		.dispatch = a->dispatch,
		.arg = &sleeps,
		.arg_size = 1,
		.queue = a->queue,
		.lease = a->lease };
}

static void do_call(struct act *a)
{
	struct brood_job_options o;
	char reply[8];

	options_of(a, &o);
	o.queue = NULL;
	a->result = brood_call(brood, real_job, "request", 7, reply, sizeof reply, &o, NULL);
}
static void do_wait(struct act *a) { a->result = brood_wait(a->handle, 60000, NULL); }
static void do_queue_wait(struct act *a) { a->result = brood_queue_wait(a->queue, 60000); }
static void do_take(struct act *a)
{
	const struct brood_result *results[4];

	do
		a->result = brood_take(a->queue, results, 4);
	while (a->result == 0);
}
static void do_dispatch(struct act *a)
{
	struct brood_verdict v;

	do
		a->result = brood_dispatch(brood);
	while (a->result >= 0 && brood_fetch(a->handle, &v) < 0);
}
static void do_lease(struct act *a)
{
	struct brood_lease_options o = { .size = sizeof o, .wait_ms = 60000 };

	while ((a->result = brood_lease(brood, &o, &a->lease)) == -EAGAIN)
		;
}
static void do_lease_end(struct act *a)
{
	a->lease = brood_lease_end(a->lease);
	a->result = 0;
}
static void do_ready(struct act *a) { a->result = brood_wait_ready(brood, 60000); }

/* ---- what stands before and behind ---- */

static void prepare_handle(struct act *a)
{
	struct brood_job_options o;
	int fd;

	options_of(a, &o);
	o.queue = NULL;
	while (brood_open(brood, real_job, &o, &fd, &a->handle) < 0)
		brood_dispatch(brood);
	close(fd);
}
static void release(struct act *a) { a->handle = brood_release(a->handle); }

static void prepare_queue(struct act *a)
{
	struct brood_job_options o;

	CHECK_EQ(brood_queue_new(brood, NULL, &a->queue), 0);
	options_of(a, &o);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(brood_submit(brood, real_job, "request", 7, &o, NULL), 0);
}
static void free_queue(struct act *a) { a->queue = brood_queue_free(a->queue); }

static void prepare_lease(struct act *a)
{
	struct brood_job_options o;

	do_lease(a);
	CHECK_EQ(a->result, 0);
	options_of(a, &o);
	CHECK_EQ(brood_submit(brood, real_job, "request", 7, &o, NULL), 0);
}
static void end_lease(struct act *a) { a->lease = brood_lease_end(a->lease); }
static void nothing(struct act *a) { (void)a; }

static const struct blocking {
	const char *name;
	void (*before)(struct act *a), (*call)(struct act *a), (*after)(struct act *a);
	long least;
	bool streams;
} blockings[] = {
	{ "brood_call", nothing, do_call, nothing, 7, false },
	{ "brood_wait", prepare_handle, do_wait, release, 0, true },
	{ "brood_queue_wait", prepare_queue, do_queue_wait, free_queue, 1, false },
	{ "brood_take", prepare_queue, do_take, free_queue, 1, false },
	{ "brood_dispatch", prepare_handle, do_dispatch, release, 0, true },
	{ "brood_lease", nothing, do_lease, end_lease, 0, false },
	{ "brood_lease_end", prepare_lease, do_lease_end, nothing, 0, false },
	{ "brood_wait_ready", nothing, do_ready, nothing, 0, false },
};
enum { BLOCKINGS = sizeof blockings / sizeof blockings[0] };

struct call {
	struct act act;
	const struct blocking *what;
};
static void *calls(void *context)
{
	struct call *c = context;

	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
	atomic_store(&c->act.inside, 1);
	c->what->call(&c->act);
	atomic_store(&c->act.back, 1);
	for (;;) /* a cancellation point: here it ends */
		poll(NULL, 0, 1);
	return NULL;
}

static void one(const struct blocking *what, unsigned *state)
{
	struct call c = { .what = what };
	pthread_t thread;
	void *how = NULL;

	/*
	 * An opened job waits for a lease only if the program dispatches: otherwise it is handed
	 * off.
	 */
	c.act.dispatch = what->streams
		? real_random(state) % 2 ? BROOD_PATH_HANDOFF : BROOD_PATH_AUTO
		: real_random(state) % 3;
	what->before(&c.act);
	CHECK_EQ(pthread_create(&thread, NULL, calls, &c), 0);
	while (!atomic_load(&c.act.inside))
		poll(NULL, 0, 0);
	if (real_random(state) % 2)
		poll(NULL, 0, (int)(real_random(state) % 4));
	CHECK_EQ(pthread_cancel(thread), 0);
	CHECK_EQ(pthread_join(thread, &how), 0);
	CHECK(how == PTHREAD_CANCELED);
	CHECK_MSG(atomic_load(&c.act.back), "%s was cut short", what->name);
	CHECK_MSG(c.act.result >= what->least, "%s: %ld", what->name, c.act.result);
	what->after(&c.act);
}

static void *cancels(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number * 31 + 1;

	for (int i = 0; i < ROUNDS; i++)
		one(&blockings[((unsigned)i + (uintptr_t)number) % BLOCKINGS], &state);
	return NULL;
}

static void *last_stop(void *result)
{
	*(int *)result = brood_stop(brood);
	for (;;)
		poll(NULL, 0, 1);
	return NULL;
}

int main(void)
{
	struct real_threads threads = { .count = 0 };
	int stopped = 1, rounds = 0;
	struct brood_stats stats;
	pthread_t thread;
	void *how;

	real_start(4);
	for (uintptr_t i = 0; i < 6; i++, rounds += ROUNDS)
		real_thread(&threads, cancels, i);
	real_join(&threads);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && brood_stats(brood, &stats) == 0 &&
			stats.idle == stats.workers,
		60000));
	/* but for workers whose pinned lease is over */
	CHECK_EQ(stats.died, stats.retired);
	CHECK_EQ(pthread_create(&thread, NULL, last_stop, &stopped), 0);
	pthread_cancel(thread);
	CHECK_EQ(pthread_join(thread, &how), 0);
	CHECK(how == PTHREAD_CANCELED);
	CHECK_EQ(stopped, 0);
	printf("cancels: %d calls, none cut short\n", rounds + 1);
	return 0;
}
