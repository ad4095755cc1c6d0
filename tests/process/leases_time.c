/* SPDX-License-Identifier: MIT */
/*
 * leases_time.c - jobs on lease whose time is up, or that are cancelled. Seen from the supervisor,
 * with a fake engine and fake workers (stage.h).
 */
#include "../../src/pool/watch.h"
#include "leases.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(leases_end, .timeout = 180);

/* The worker was killed and is replaced. */
static struct message_lease_over died(struct play *p)
{
	struct message_lease_over over;

	CHECK(stage_dies(p->w));
	over = stage_over(&p->s, p->lease, LEASE_DIED);
	CHECK_EQ(over.pid, p->granted.pid);
	CHECK_EQ(over.slot, p->granted.slot);
	CHECK_EQ(over.generation, p->granted.generation);
	stage_reborn(&p->s);
	CHECK(WAIT_UNTIL(
		atomic_load(&p->s.shared.stats_page->idle) == p->s.options.workers, STAGE_MS));
	return over;
}

/* ---- out of time ---- */

static void out_of_time(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	grant(&p);
	publish(&p, 1, &brief);
	publish(&p, 2, &forever);
	word(&p, 1, SLOT_PAGE_RUNNING);
	CHECK(soft_or_late(&p, 1));
	over = died(&p);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	CHECK_EQ(over.sequence, p.base + 1);
	CHECK_EQ(over.word, SLOT_PAGE_WORD(p.base + 1, SLOT_PAGE_RUNNING));
	CHECK_EQ(over.cause, LADDER_CAUSE_DEADLINE);
	CHECK_EQ(over.kill_signal, SIGKILL);
	CHECK_EQ(over.code, CLD_KILLED);
	CHECK_EQ(over.status, SIGKILL);
	CHECK_GT(over.peak_kb, 0);
	stage_end(&p.s);
}
Test(leases_end, a_job_has_its_time) { case_run(out_of_time, 30000); }

/*
 * The soft step is for the job that runs by then. A job that ends within its grace is followed by
 * the next, which has its own time.
 */
static void the_right_one(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	grant(&p);
	for (uint64_t n = 1; n <= 100; n++)
		publish(&p, n,
			n == 50           ? &(struct stage_limits){ 40, 60000, 0 }
				: n == 70 ? &brief
					  : &forever);
	for (uint64_t n = 1; n < 50; n++) {
		word(&p, n, SLOT_PAGE_RUNNING);
		word(&p, n, SLOT_PAGE_DONE);
	}
	word(&p, 50, SLOT_PAGE_RUNNING);
	CHECK(WAIT_UNTIL(stage_soft(p.w) == p.base + 50, STAGE_MS));
	word(&p, 50, SLOT_PAGE_DONE);
	word(&p, 70, SLOT_PAGE_RUNNING);
	CHECK(soft_or_late(&p, 70));
	over = died(&p);
	CHECK_EQ(over.sequence, p.base + 70);
	CHECK_EQ(over.word, SLOT_PAGE_WORD(p.base + 70, SLOT_PAGE_RUNNING));
	stage_end(&p.s);
}
Test(leases_end, the_job_that_runs_is_meant) { case_run(the_right_one, 30000); }

static void never_begun(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	for (int round = 0; round < 2; round++) {
		grant(&p);
		publish(&p, 1, &brief);
		if (round == 1) {
			word(&p, 1, SLOT_PAGE_DONE);
			publish(&p, 2, &brief);
		}
		over = died(&p);
		CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
		CHECK_EQ(over.sequence, p.base + 1 + (uint64_t)round);
		CHECK_EQ(over.word,
			round ? SLOT_PAGE_WORD(p.base + 1, SLOT_PAGE_DONE)
			      : SLOT_PAGE_WORD(p.base, SLOT_PAGE_FREE));
		CHECK_EQ(over.cause, LADDER_CAUSE_DEADLINE);
	}
	stage_end(&p.s);
}
Test(leases_end, a_job_that_is_not_begun_has_its_time_too) { case_run(never_begun, 30000); }

static void aborted(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	grant(&p);
	publish(&p, 1, &with_core);
	word(&p, 1, SLOT_PAGE_RUNNING);
	over = died(&p);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD | OVER_ABORT);
	CHECK_EQ(over.kill_signal, SIGABRT);
	CHECK_EQ(over.status, SIGABRT);
	stage_end(&p.s);
}
Test(leases_end, a_core_when_the_job_wants_one) { case_run(aborted, 30000); }

/*
 * A job with a short time is published behind one with a long time. The supervisor looks in time,
 * although nobody tells it when the job begins.
 */
static void short_behind_long(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	grant(&p);
	publish(&p, 1, &(struct stage_limits){ 60000, 30, 0 });
	word(&p, 1, SLOT_PAGE_RUNNING);
	CHECK(WAIT_UNTIL(
		atomic_load(&stage_lease_page(&p.s, p.w)->look_at) < now_ns() + 61 * NS_PER_S,
		STAGE_MS));
	publish(&p, 2, &brief);
	CHECK(WAIT_UNTIL(atomic_load(&stage_lease_page(&p.s, p.w)->look_at) < now_ns() + NS_PER_S,
		STAGE_MS));
	word(&p, 1, SLOT_PAGE_DONE);
	word(&p, 2, SLOT_PAGE_RUNNING);
	over = died(&p);
	CHECK_EQ(over.sequence, p.base + 2);
	stage_end(&p.s);
}
Test(leases_end, a_short_job_behind_a_long_one) { case_run(short_behind_long, 30000); }

/* ---- cancel ---- */

static void cancelled(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	grant(&p);
	for (uint64_t n = 1; n <= 3; n++)
		publish(&p, n, &forever);
	word(&p, 2, SLOT_PAGE_RUNNING);
	stage_kill(&p.s, p.lease, p.base + 1, LEASE_KILL_CANCEL); /* over already */
	stage_kill(&p.s, p.lease, p.base + 9, LEASE_KILL_CANCEL); /* never published */
	/* of nobody's lease */
	stage_kill(&p.s, p.lease + 77, p.base + 2, LEASE_KILL_CANCEL);
	stage_about(&p.s, MESSAGE_LEASE_LOOK, p.lease);
	CHECK_EQ(stage_ask_with(&p.s, &(struct message_lease){ .queue_ms = 1 }), p.lease + 1);
	stage_over(&p.s, p.lease + 1, LEASE_REFUSED); /* so all that was heard */
	CHECK_EQ(stage_soft(p.w), 0);
	stage_kill(&p.s, p.lease, p.base + 2, LEASE_KILL_CANCEL);
	CHECK(soft_or_late(&p, 2));
	over = died(&p);
	CHECK_EQ(over.sequence, p.base + 2);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	CHECK_EQ(over.cause, LADDER_CAUSE_CANCEL);
	stage_end(&p.s);
}
Test(leases_end, cancel_is_for_the_job_that_runs) { case_run(cancelled, 30000); }

/* The engine found the job taken, so it will run: the cancel waits for that. */
static void cancelled_before_it_runs(void)
{
	struct play p;

	begin(&p, 1);
	grant(&p);
	publish(&p, 1, &(struct stage_limits){ BROOD_FOREVER, 60000, 0 });
	stage_kill(&p.s, p.lease, p.base + 1, LEASE_KILL_CANCEL);
	CHECK(WAIT_UNTIL(
		atomic_load(&stage_lease_page(&p.s, p.w)->look_at) < now_ns() + 10 * NS_PER_S,
		STAGE_MS));
	CHECK_EQ(stage_soft(p.w), 0);
	word(&p, 1, SLOT_PAGE_RUNNING);
	CHECK(WAIT_UNTIL(stage_soft(p.w) == p.base + 1, STAGE_MS));
	word(&p, 1, SLOT_PAGE_DONE);
	stage_about(&p.s, MESSAGE_LEASE_END, p.lease);
	stage_leave(p.w, p.lease);
	stage_left(p.w, p.lease, p.base + 1, 0);
	stage_over(&p.s, p.lease, LEASE_RETURNED);
	stage_end(&p.s);
}
Test(leases_end, cancel_waits_for_a_job_that_is_about_to_run)
{
	case_run(cancelled_before_it_runs, 30000);
}
