/* SPDX-License-Identifier: MIT */
/*
 * engine_end.c - the engine alone against a supervisor that the test plays: the end of its channel,
 * the readiness of the pool, and its stop.
 */
#include "engine.h"

#include <criterion/criterion.h>

TestSuite(engine_jobs, .timeout = 120);

/* ---- the channel's end ---- */

static void check_gone(struct brood_handle *h)
{
	struct engine_bytes bytes = { 0 };
	struct brood_verdict v;

	CHECK_EQ(engine_wait(h, 5000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(v.detail, BROOD_DETAIL_CHANNEL);
	/* nobody knows whether the job has started, so a retry is not safe */
	CHECK_NE(v.started, 0);
	CHECK_STR(v.name, "job");
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -ENOTCONN);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -ENOTCONN);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(engine_wait_ready(peer.brood, 1000), -ENOTCONN);
	CHECK_EQ(engine_cancel(peer.brood, engine_id(h)), -ENOENT);
	CHECK_EQ(stats().verdicts[BROOD_LOST], 1);
	CHECK_EQ(engine_stop(peer.brood), -ENOTCONN);
	CHECK_EQ(outcome_of(h), BROOD_LOST);
	engine_release(h);
}

static void channel_end(void)
{
	struct brood_handle *h, *done;

	start(4);
	done = peer_open(&peer, peer_fn_a, NULL);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(done), BROOD_DONE); /* told before the end, so it counts */
	peer_hang_up(&peer);
	check_gone(h);
	CHECK_EQ(outcome_of(done), BROOD_DONE);
}
Test(engine_jobs, lost_when_the_channel_ends) { case_run(channel_end, 10000); }

static void end_seen_by_sending(void)
{
	struct brood_handle *done;

	start(4);
	done = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(done), BROOD_DONE);
	peer_hang_up(&peer);
	/* the send fails, and all that could still be read was read */
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -ENOTCONN);
	CHECK_EQ(outcome_of(done), BROOD_DONE);
	CHECK_EQ(stats().submitted, 1);
	CHECK_EQ(stats().verdicts[BROOD_LOST], 0);
	engine_release(done);
}
Test(engine_jobs, a_failed_send_reads_the_last_words) { case_run(end_seen_by_sending, 10000); }

static void garbage(void *context)
{
	int which = *(int *)context;
	struct brood_verdict v = { .id = 1, .outcome = BROOD_DONE };
	struct frame f;
	struct brood_handle *h;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	switch (which) {
	case 0: peer_raw(peer.channel, "nonsense", 8); break;
	case 1:
		v.outcome = BROOD_OUTCOMES;
		peer_verdict(&peer, &v);
		break;
	case 2:
		v.outcome = 0;
		peer_verdict(&peer, &v);
		break;
	case 3:
		v.detail = (enum brood_detail) - 1;
		peer_verdict(&peer, &v);
		break;
	case 4:
		peer_say(&peer, MESSAGE_STOP); /* ours to say */
		break;
	case 5: peer_log(&(struct peer){ .log = peer.channel }, "on the wrong socket"); break;
	case 6: /* an fd that nobody asked for */
		frame_begin(&f, MESSAGE_POOL_READY);
		f.fds[0] = 0;
		f.fds_count = 1;
		CHECK_EQ(frame_send(peer.channel, &f), 0);
		break;
	default: FAIL("no such case");
	}
	peer_outcome(&peer, engine_id(h), BROOD_DONE); /* after nonsense nothing can be trusted */
	check_gone(h);
}
#define GARBAGE(n)                                     \
	Test(engine_jobs, garbage_##n)                 \
	{                                              \
		int which = n;                         \
		case_run_with(garbage, &which, 10000); \
	}
GARBAGE(0)
GARBAGE(1)
GARBAGE(2)
GARBAGE(3)
GARBAGE(4)
GARBAGE(5)
GARBAGE(6)

/* ---- readiness of the pool, and its stop ---- */

static void ready(void)
{
	start(4);
	CHECK_EQ(engine_wait_ready(peer.brood, 0), -ETIMEDOUT);
	CHECK_EQ(engine_wait_ready(peer.brood, 30), -ETIMEDOUT);
	atomic_store(&peer.shared.stats_page->degraded, 1);
	peer_say(&peer, MESSAGE_POOL_DEGRADED);
	CHECK_EQ(engine_wait_ready(peer.brood, BROOD_FOREVER), -EHOSTDOWN);
	/* the pool has recovered, but is not full yet */
	atomic_store(&peer.shared.stats_page->degraded, 0);
	CHECK_EQ(engine_wait_ready(peer.brood, 20), -ETIMEDOUT);
	peer_say(&peer, MESSAGE_POOL_READY);
	CHECK_EQ(engine_wait_ready(peer.brood, BROOD_FOREVER), 0);
	peer_say(&peer, MESSAGE_POOL_DEGRADED);
	/* "full for the first time" was already told */
	CHECK_EQ(engine_wait_ready(peer.brood, 0), 0);
}
Test(engine_jobs, ready_once) { case_run(ready, 10000); }

static void check_stopped(struct brood_handle *closed)
{
	struct engine_bytes bytes = { 0 };
	struct brood_verdict v = { .outcome = 77 };

	CHECK_EQ(engine_stop(peer.brood), -ESHUTDOWN);
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -ESHUTDOWN);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -ESHUTDOWN);
	CHECK_EQ(v.outcome, 77);
	CHECK_EQ(engine_cancel(peer.brood, 1), -ESHUTDOWN);
	CHECK_EQ(engine_dispatch(peer.brood), -ESHUTDOWN);
	CHECK_EQ(engine_fd(peer.brood), -ESHUTDOWN);
	CHECK_EQ(engine_wait_ready(peer.brood, 0), -ESHUTDOWN);
	CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), "x", 1, NULL, 0), -ESHUTDOWN);
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_READY, NULL), -ESHUTDOWN);
	CHECK_EQ(engine_wait(closed, 0, &v), 0);
	CHECK_EQ(engine_fetch(closed, &v), 0);
}

static void *play_stop(void *context)
{
	struct frame f;

	peer_hear(&peer, &f, MESSAGE_STOP);
	peer_outcome(&peer, (uint64_t)(uintptr_t)context, BROOD_CANCELLED);
	peer_say(&peer, MESSAGE_STOPPED);
	return NULL;
}

static void stopping(void)
{
	struct brood_handle *h;
	pthread_t thread;
	int fd;

	start(4);
	fd = engine_fd(peer.brood);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &(struct peer_job){ 0 });
	CHECK_EQ(pthread_create(&thread, NULL, play_stop, (void *)(uintptr_t)engine_id(h)), 0);
	CHECK_EQ(engine_stop(peer.brood), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(outcome_of(h), BROOD_CANCELLED);
	check_stopped(h);
	peer_hang_up(&peer);
	/* an event loop that still has the fd does not spin */
	CHECK(!peer_readable(fd));
	engine_release(h);
}
Test(engine_jobs, stop) { case_run(stopping, 10000); }

static void stop_unheard(void)
{
	struct brood_handle *h, *released;
	struct brood_verdict v;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	released = peer_open(&peer, peer_fn_a, NULL);
	engine_release(released);
	CHECK_EQ(engine_stop(peer.brood), -ETIMEDOUT);
	CHECK_EQ(engine_fetch(h, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(v.detail, BROOD_DETAIL_STOP_TIME);
	CHECK_EQ(stats().verdicts[BROOD_LOST], 2);
	CHECK_EQ(stats().dropped, 1);
	check_stopped(h);
	engine_release(h);
}
Test(engine_jobs, a_stop_that_nobody_answers_has_a_bound) { case_run(stop_unheard, 30000); }
