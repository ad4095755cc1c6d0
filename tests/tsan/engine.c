/* SPDX-License-Identifier: MIT */
/*
 * engine.c - the engine's library under many threads, as a plain program, because ThreadSanitizer
 * does not work with Criterion. Threads of the same process play the supervisor
 * (tests/helpers/peer.h), so the sanitizer looks at both sides. Ends with 0 and "engine: N jobs, as
 * many verdicts", or by a CHECK or a report of the sanitizer.
 */
#include "../helpers/peer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLERS = 16, CALLS = 150, RECORDS = 24 };

static struct peer peer;
static atomic_long accepted, verdicts, unasked, refused, logged;
static atomic_int working, inside;

static void on_log(void *context, const struct brood_log *log)
{
	(void)context;
	CHECK_EQ(atomic_fetch_add(&inside, 1), 0); /* one at a time */
	CHECK_CONTAINS(log->text, "line");
	atomic_fetch_add(&logged, 1);
	atomic_fetch_sub(&inside, 1);
}

static enum brood_outcome crash_half(struct peer *p, struct peer_job *job)
{
	(void)p;
	return job->id % 2 ? BROOD_CRASHED : BROOD_DONE;
}
static const struct peer_service services[] = { { peer_fn_a, peer_echo },
	{ peer_fn_b, peer_nothing }, { peer_fn_c, crash_half }, { NULL, NULL } };

static void call_echo(size_t size, unsigned salt)
{
	unsigned char *request = malloc(size + 1), *reply = malloc(size + 1);
	struct engine_bytes bytes = { request, size, reply, size, false };
	struct brood_verdict v;
	ssize_t n;

	CHECK(request && reply);
	for (size_t i = 0; i < size; i++)
		request[i] = (unsigned char)(i * 31 + salt);
	n = peer_call(&peer, peer_fn_a, &bytes, &v);
	if (n == -EAGAIN) {
		atomic_fetch_add(&refused, 1);
	} else {
		CHECK_EQ(n, size);
		CHECK_MEM(reply, request, size);
		CHECK_EQ(v.outcome, BROOD_DONE);
		atomic_fetch_add(&accepted, 1);
		atomic_fetch_add(&verdicts, 1);
	}
	free(request);
	free(reply);
}

static void call_retried(void)
{
	struct brood_job_options options = { .size = sizeof options, .retries = 2 };
	struct engine_job job = { .fn = peer_fn_c, .name = "retried", .options = &options };
	struct engine_bytes bytes = { NULL, 0, NULL, 0, false };
	struct brood_verdict v;
	ssize_t n = engine_call(peer.brood, &job, &bytes, &v);

	if (v.outcome == BROOD_REFUSED) {
		atomic_fetch_add(&refused, 1);
		return;
	}
	CHECK(n == 0 ? v.outcome == BROOD_DONE : n == -EREMOTEIO && v.outcome == BROOD_CRASHED);
	atomic_fetch_add(&accepted, 1);
	atomic_fetch_add(&verdicts, 1);
}

static void open_and(unsigned how)
{
	struct engine_job job = { .fn = peer_fn_b, .name = "opened" };
	struct brood_handle *h = NULL;
	struct brood_verdict v;
	int fd, r = engine_open(peer.brood, &job, &fd, how % 4 == 3 ? NULL : &h);

	if (r < 0) {
		CHECK_EQ(r, -EAGAIN);
		atomic_fetch_add(&refused, 1);
		return;
	}
	atomic_fetch_add(&accepted, 1);
	close(fd);
	if (how % 4 == 1)
		CHECK(engine_cancel(peer.brood, engine_id(h)) == 0 || engine_fetch(h, &v) == 0 ||
			engine_cancel(peer.brood, engine_id(h)) == -ENOENT);
	if (how % 4 < 2) {
		/* becomes the leader and leaves, again and again */
		while ((r = engine_wait(h, how % 3, &v)) < 0)
			CHECK_EQ(r, -ETIMEDOUT);
		CHECK_EQ(v.id, engine_id(h));
		atomic_fetch_add(&verdicts, 1);
	}
	/* before its verdict or after: both are right, and only the library knows which */
	if (how % 4 == 2)
		atomic_fetch_add(&unasked, 1);
	engine_release(h);
}

static void *caller(void *context)
{
	unsigned me = (unsigned)(uintptr_t)context;

	for (unsigned i = 0; i < CALLS; i++) {
		switch ((me + i) % 6) {
		case 0: call_echo((me * 7919 + i * 104729) % 3000, i); break;
		case 1: call_echo(i % 25 ? 1 : 700000, i); break;
		case 2: call_retried(); break;
		default: open_and(me + i);
		}
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

/* An event loop beside them. */
static void *looper(void *context)
{
	struct pollfd fd = { .fd = engine_fd(peer.brood), .events = POLLIN };
	struct brood_stats stats;

	(void)context;
	while (atomic_load(&working) > 0) {
		poll(&fd, 1, 5);
		CHECK_GE(engine_dispatch(peer.brood), 0);
		CHECK_EQ(engine_stats(peer.brood, &stats), 0);
		CHECK_LE(stats.dropped, stats.submitted);
	}
	return NULL;
}

static void *sayer(void *context)
{
	(void)context;
	while (atomic_load(&working) > 0) {
		peer_log(&peer, "line");
		poll(NULL, 0, 1);
	}
	return NULL;
}

static void run_callers(bool loop)
{
	pthread_t threads[CALLERS], others[2];
	int more = 0;

	atomic_store(&working, CALLERS);
	for (uintptr_t i = 0; i < CALLERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, caller, (void *)i), 0);
	CHECK_EQ(pthread_create(&others[more++], NULL, sayer, NULL), 0);
	if (loop)
		CHECK_EQ(pthread_create(&others[more++], NULL, looper, NULL), 0);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	while (more > 0)
		pthread_join(others[--more], NULL);
}

static void check_sums(void)
{
	struct brood_stats s;

	CHECK_EQ(engine_stats(peer.brood, &s), 0);
	CHECK_EQ(s.submitted, atomic_load(&accepted));
	CHECK_EQ(s.verdicts[BROOD_REFUSED], atomic_load(&refused));
	CHECK_EQ(s.verdicts[BROOD_LOST], 0);
	/* One verdict a job: told or dropped. */
	CHECK_LE(atomic_load(&verdicts) + (long)s.dropped, atomic_load(&accepted));
	CHECK_GE(atomic_load(&verdicts) + (long)s.dropped + atomic_load(&unasked),
		atomic_load(&accepted));
}

/* All threads are in a call, and the supervisor ends. */
static void hang_up(void)
{
	struct engine_bytes bytes = { "x", 1, NULL, 0, false };
	struct brood_verdict v[CALLERS];
	pthread_t threads[CALLERS];

	peer_init(&peer);
	peer_start(&peer, RECORDS);
	for (int i = 0; i < CALLERS; i++)
		threads[i] = peer_call_later(&peer, peer_fn_a, &bytes, &v[i]);
	for (int i = 0; i < CALLERS; i++)
		peer_job(&peer, &(struct peer_job){ 0 });
	peer_hang_up(&peer);
	for (int i = 0; i < CALLERS; i++) {
		CHECK_EQ(peer_join(threads[i]), -ENOTCONN);
		CHECK_EQ(v[i].outcome, BROOD_LOST);
	}
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
}

/* All threads are in a call, and one stops the pool: each gets its verdict. */
static enum brood_outcome until_stop(struct peer *p, struct peer_job *job)
{
	(void)job;
	CHECK(WAIT_UNTIL(atomic_load(&p->stopping), PEER_WAIT_MS));
	return BROOD_CANCELLED;
}
static void stop_below_calls(void)
{
	static const struct peer_service waiting[] = { { peer_fn_a, until_stop }, { NULL, NULL } };
	struct engine_bytes bytes = { "x", 1, NULL, 0, false };
	struct brood_verdict v[CALLERS];
	pthread_t threads[CALLERS], service;
	struct brood_stats s;

	peer_init(&peer);
	peer_start(&peer, RECORDS);
	service = peer_serve(&peer, waiting);
	for (int i = 0; i < CALLERS; i++)
		threads[i] = peer_call_later(&peer, peer_fn_a, &bytes, &v[i]);
	CHECK(WAIT_UNTIL(
		engine_stats(peer.brood, &s) == 0 && s.submitted == CALLERS, PEER_WAIT_MS));
	CHECK_EQ(engine_stop(peer.brood), 0);
	for (int i = 0; i < CALLERS; i++) {
		CHECK_EQ(peer_join(threads[i]), -ECANCELED);
		CHECK_EQ(v[i].outcome, BROOD_CANCELLED);
	}
	pthread_join(service, NULL);
}

int main(void)
{
	pthread_t service;

	report_create();
	peer_init(&peer);
	peer.options.log = on_log;
	peer_start(&peer, RECORDS);
	service = peer_serve(&peer, services);
	run_callers(false);
	run_callers(true);
	CHECK_EQ(engine_stop(peer.brood), 0);
	pthread_join(service, NULL);
	check_sums();
	CHECK_GT(atomic_load(&logged), 0);
	printf("engine: %ld jobs, as many verdicts; %ld refused, %ld log lines\n",
		atomic_load(&accepted), atomic_load(&refused), atomic_load(&logged));
	hang_up();
	stop_below_calls();
	return 0;
}
