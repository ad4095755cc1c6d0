/* SPDX-License-Identifier: MIT */
/*
 * leases_stop.c - leases when the pool stops or the engine ends. Seen from the supervisor, with a
 * fake engine and fake workers (stage.h).
 */
#include "../../src/pool/watch.h"
#include "leases.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(leases_end, .timeout = 180);

/* ---- the pool stops ---- */

static void stopped(struct play *p)
{
	struct frame f;

	stage_hear(p->s.channel, &f, MESSAGE_STOPPED);
}

static void stop(struct play *p)
{
	struct frame f;

	stage_say(p->s.channel, frame_begin(&f, MESSAGE_STOP));
}

/*
 * An idle worker leaves. A worker with jobs may finish all that is published. An engine that still
 * has jobs may have a lease for them.
 */
static void drained(void)
{
	struct message_granted granted;
	struct stage_worker *resting, *more;
	uint64_t rests, late;
	struct frame f;
	struct play p;

	stage_init(&p.s, 2);
	p.s.options.lease_idle_ms = 60000;
	p.s.options.stop_ms = 10000;
	stage_start(&p.s);
	grant(&p);
	rests = stage_ask(&p.s, LEASE_PINNED);
	resting = stage_granted(&p.s, rests, &granted);
	for (uint64_t n = 1; n <= 3; n++)
		publish(&p, n, &forever);
	word(&p, 1, SLOT_PAGE_RUNNING);
	stop(&p);
	stage_leave(resting, rests);
	stage_left(resting, rests, granted.sequence, 0);
	stage_over(&p.s, rests, LEASE_RETURNED);
	late = stage_ask(&p.s, 0);
	more = stage_granted(&p.s, late, &granted);
	stage_leave(more, late); /* it has no job, and leaves soon */
	stage_left(more, late, granted.sequence, 0);
	stage_over(&p.s, late, LEASE_RETURNED);
	CHECK(stage_quiet(p.w->channel));
	for (uint64_t n = 1; n <= 3; n++) {
		word(&p, n, SLOT_PAGE_RUNNING);
		word(&p, n, SLOT_PAGE_DONE);
	}
	stage_leave(p.w, p.lease);
	stage_left(p.w, p.lease, p.base + 3, 0);
	stage_over(&p.s, p.lease, LEASE_RETURNED);
	stage_hear(p.w->channel, &f, MESSAGE_END); /* long before the drain time was up */
	stage_hear(more->channel, &f, MESSAGE_END);
	late = stage_ask(&p.s, 0);
	CHECK_EQ(stage_over(&p.s, late, LEASE_REFUSED).detail, BROOD_DETAIL_DRAINING);
	stage_die(p.w, SIGKILL);
	stage_die(more, SIGKILL);
	stopped(&p);
	stage_end(&p.s);
}
Test(leases_end, the_pool_drains) { case_run(drained, 30000); }

static void cancelled_by_the_stop(void)
{
	struct message_lease_over over;
	struct play p;

	stage_init(&p.s, 1);
	p.s.options.drain_ms = 50;
	p.s.options.stop_ms = 10000;
	stage_start(&p.s);
	grant(&p);
	for (uint64_t n = 1; n <= 2; n++)
		publish(&p, n, &forever);
	word(&p, 1, SLOT_PAGE_RUNNING);
	stop(&p);
	stage_leave(p.w, p.lease);
	CHECK(soft_or_late(&p, 1));
	CHECK(stage_dies(p.w));
	over = stage_over(&p.s, p.lease, LEASE_DIED);
	CHECK_EQ(over.cause, LADDER_CAUSE_STOP);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	CHECK_EQ(over.sequence, p.base + 1);
	stopped(&p);
	stage_end(&p.s);
}
Test(leases_end, what_runs_is_cancelled_by_the_stop) { case_run(cancelled_by_the_stop, 30000); }

static void killed_by_the_stop(void)
{
	struct message_lease_over over;
	struct play p;

	stage_init(&p.s, 1);
	p.s.options.drain_ms = p.s.options.stop_ms = 50;
	stage_start(&p.s);
	grant(&p);
	publish(&p, 1, &(struct stage_limits){ BROOD_FOREVER, 60000, 0 });
	word(&p, 1, SLOT_PAGE_RUNNING);
	stop(&p);
	CHECK(stage_dies(p.w));
	over = stage_over(&p.s, p.lease, LEASE_DIED);
	CHECK_EQ(over.cause, LADDER_CAUSE_STOP);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	stopped(&p);
	stage_end(&p.s);
}
Test(leases_end, all_patience_ends) { case_run(killed_by_the_stop, 30000); }

/*
 * The engine ends: jobs that it had published have their drain time, and nobody reads their
 * replies.
 */
static void engine_gone(void)
{
	struct play p;

	stage_init(&p.s, 1);
	p.s.options.drain_ms = 100;
	stage_start(&p.s);
	grant(&p);
	publish(&p, 1, &forever);
	word(&p, 1, SLOT_PAGE_RUNNING);
	stage_ask(&p.s, 0);
	close_fd(p.s.channel); /* the case's end tells whether anything is left */
}
Test(leases_end, the_engine_ends) { case_run(engine_gone, 30000); }
