/* SPDX-License-Identifier: MIT */
/*
 * batch.c - how long a submitted job waits for a worker: without limit, unless the job's or the
 * pool's options say otherwise. Calls and opened jobs have 10 s. A fake supervisor (peer.h) makes
 * these tests shorter than that.
 */
#include "../../src/front/resolve.h"
#include "../helpers/peer.h"

#include <case.h>
#include <criterion/criterion.h>

TestSuite(batch, .timeout = 60);

static struct peer peer;

static void start(uint32_t submit_queue_ms)
{
	peer_init(&peer);
	peer.submit_queue_ms = submit_queue_ms;
	peer.options.leases = 2;
	peer_start(&peer, 8);
}

static uint64_t submit(struct brood_job_options *o)
{
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = o };
	uint64_t id = 0;

	o->size = sizeof *o;
	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, &id), 0);
	return id;
}

Test(batch, the_default_is_of_the_way_to_give)
{
	struct brood_options o = { .size = sizeof o };
	struct resolved r;

	cr_assert_eq(resolve_options(&o, &r), 0);
	cr_assert_eq(r.options.queue_ms, 10000);
	cr_assert_eq(r.setups[0].submit_queue_ms, BROOD_FOREVER);
	resolve_free(&r);
	o.queue_ms = 700;
	cr_assert_eq(resolve_options(&o, &r), 0);
	cr_assert_eq(r.options.queue_ms, 700);
	cr_assert_eq(r.setups[0].submit_queue_ms, 700);
	resolve_free(&r);
}

static void handed_off(void)
{
	struct peer_job heard;

	start(0);
	submit(&(struct brood_job_options){ 0 });
	peer_job(&peer, &heard);
	CHECK_EQ(heard.message.queue_ms, BROOD_FOREVER);
	close_fd(heard.fd);
	submit(&(struct brood_job_options){ .queue_ms = 20 });
	peer_job(&peer, &heard);
	CHECK_EQ(heard.message.queue_ms, 20);
	close_fd(heard.fd);
	peer_open(&peer, peer_fn_b, NULL);
	peer_job(&peer, &heard);
	CHECK_EQ(heard.message.queue_ms, 1000); /* the pool's */
	close_fd(heard.fd);
}
Test(batch, handed_off) { case_run(handed_off, 20000); }

/* The supervisor has no worker to grant. It says why, and the engine asks again. */
static void no_lease(enum brood_detail why)
{
	struct frame f, over;

	peer_hear(&peer, &f, MESSAGE_LEASE);
	frame_begin(&over, MESSAGE_LEASE_OVER);
	over.lease_over.id = f.lease.id;
	over.lease_over.how = LEASE_REFUSED;
	over.lease_over.detail = why;
	CHECK_EQ(frame_send(peer.channel, &over), 0);
	frame_done(&f);
}

static const struct brood_result *one_result(uint32_t timeout_ms)
{
	struct brood_queue *own = engine_own_queue(peer.brood);
	const struct brood_result *result = NULL;

	if (engine_queue_wait(own, timeout_ms) > 0)
		CHECK_EQ(engine_take(own, &result, 1), 1);
	return result;
}

/*
 * The request for a lease is refused again and again. The job is not refused before its own time is
 * up.
 */
static void on_a_lease(void)
{
	struct brood_job_options o = { .dispatch = BROOD_PATH_LEASE };
	const struct brood_result *r;
	uint64_t began = now_ns();

	start(2500);
	submit(&o);
	for (int i = 0; i < 2; i++) {
		no_lease(BROOD_DETAIL_QUEUE_TIME);
		CHECK(!one_result(20));
	}
	r = one_result(10000);
	CHECK(r != NULL);
	CHECK_EQ(r->verdict.outcome, BROOD_REFUSED);
	CHECK_EQ(r->verdict.detail, BROOD_DETAIL_QUEUE_TIME);
	CHECK_GE(now_ns() - began, 2500 * NS_PER_MS);
}
Test(batch, on_a_lease) { case_run(on_a_lease, 20000); }

/* A job without limit is refused only by a pool that cannot have a worker. */
static void degraded(void)
{
	struct brood_job_options o = { .dispatch = BROOD_PATH_LEASE };
	const struct brood_result *r;

	start(0);
	submit(&o);
	no_lease(BROOD_DETAIL_QUEUE_TIME);
	CHECK(!one_result(50));
	no_lease(BROOD_DETAIL_DEGRADED);
	r = one_result(10000);
	CHECK(r != NULL);
	CHECK_EQ(r->verdict.outcome, BROOD_REFUSED);
	CHECK_EQ(r->verdict.detail, BROOD_DETAIL_DEGRADED);
}
Test(batch, degraded) { case_run(degraded, 20000); }
