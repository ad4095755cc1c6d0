/* SPDX-License-Identifier: MIT */
/* engine_logs.c - which thread calls the log callback, and when. The supervisor is a fake one. */
#include "engine.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(engine_waiting, .timeout = 120);

static const struct peer_service echoing[] = { { peer_fn_a, peer_echo },
	{ peer_fn_b, peer_nothing }, { NULL, NULL } };

/* ---- logs ---- */

enum { LINES = 500 };
static struct {
	atomic_int count, inside, overlaps;
} logs;

static void log_check(void *context, const struct brood_log *log)
{
	char expected[32];

	CHECK(context == &logs);
	if (atomic_fetch_add(&logs.inside, 1) != 0)
		atomic_fetch_add(&logs.overlaps, 1);
	CHECK_EQ(log->size, sizeof *log);
	CHECK_EQ(log->level, BROOD_WARNING);
	CHECK_EQ(log->event, BROOD_EVENT_WORKER_DIED);
	CHECK_EQ(log->pid, 4711);
	CHECK_EQ(log->slot, 3);
	CHECK_EQ(log->job, 17);
	snprintf(expected, sizeof expected, "line %d", logs.count);
	CHECK_STR(log->text, expected); /* all of them, in order */
	logs.count++;
	atomic_fetch_sub(&logs.inside, 1);
}
static void log_start(void (*log)(void *, const struct brood_log *))
{
	peer_init(&peer);
	peer.options.log = log;
	peer.options.log_context = &logs;
	peer_start(&peer, 64);
}
static void say_line(int i)
{
	char text[32];

	snprintf(text, sizeof text, "line %d", i);
	peer_log(&peer, text);
}

static void log_by_dispatch(void)
{
	int fd;

	log_start(log_check);
	fd = engine_fd(peer.brood);
	CHECK(!peer_readable(fd));
	for (int i = 0; i < 100; i++)
		say_line(i);
	peer_raw(peer.log, "nonsense", 8); /* costs nothing but itself */
	say_line(100);
	CHECK(peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK_LT(logs.count, 100); /* some a round */
	CHECK(peer_readable(fd));
	while (peer_readable(fd))
		CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK_EQ(logs.count, 101);
	/* only the log socket has ended, and all else goes on */
	peer.log = close_fd(peer.log);
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK(!peer_readable(fd));
}
Test(engine_waiting, log_lines_by_dispatch) { case_run(log_by_dispatch, 10000); }

static void *log_lines(void *context)
{
	(void)context;
	for (int i = 0; i < LINES; i++)
		say_line(i);
	return NULL;
}
static void *call_on(void *context)
{
	char reply[8];
	struct engine_bytes bytes = { "x", 1, reply, sizeof reply, false };

	(void)context;
	while (logs.count < LINES)
		CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), 1);
	return NULL;
}
static void log_by_calls(void)
{
	pthread_t sayer, threads[4];

	log_start(log_check);
	peer_serve(&peer, echoing);
	CHECK_EQ(pthread_create(&sayer, NULL, log_lines, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, call_on, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_join(sayer, NULL);
	CHECK_EQ(logs.count, LINES);
	CHECK_EQ(logs.overlaps, 0);
}
Test(engine_waiting, log_lines_by_calls_one_at_a_time) { case_run(log_by_calls, 30000); }

/*
 * A callback uses the library itself: no lock is held, another thread may lead, and the callback is
 * not called within itself.
 */
static void log_calls(void *context, const struct brood_log *log)
{
	char reply[8];
	struct engine_bytes bytes = { "x", 1, reply, sizeof reply, false };

	(void)context;
	(void)log;
	if (atomic_fetch_add(&logs.inside, 1) != 0)
		atomic_fetch_add(&logs.overlaps, 1);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), 1);
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	atomic_fetch_sub(&logs.inside, 1);
	logs.count++;
}
static void log_calls_back(void)
{
	struct brood_handle *h;
	struct brood_verdict v;
	int fd;

	log_start(log_calls);
	peer_serve(&peer, echoing);
	say_line(0);
	say_line(1);
	h = peer_open(&peer, peer_fn_a, &fd);
	CHECK_EQ(engine_wait(h, 100, &v), -ETIMEDOUT); /* reads both lines */
	CHECK_EQ(logs.count, 2);
	CHECK_EQ(logs.overlaps, 0);
	say_line(2);
	close(fd); /* EOF: the echo ends */
	CHECK_EQ(engine_wait(h, BROOD_FOREVER, &v), 0);
	while (logs.count < 3)
		CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK_EQ(logs.overlaps, 0);
	engine_release(h);
}
Test(engine_waiting, a_log_callback_may_call_the_library) { case_run(log_calls_back, 20000); }
