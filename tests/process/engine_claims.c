/* SPDX-License-Identifier: MIT */
/*
 * engine_claims.c - a worker on lease dies, and what stands in the claim on its job is not what the
 * worker would have written: a job has written over the ring's memory. The supervisor and the
 * worker are fake ones.
 */
#include "../helpers/case.h"
#include "../helpers/peer_lease.h"

#include "../../src/engine/engine.h"
#include "../../src/engine/queue.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(engine_claims, .timeout = 120);

static struct peer peer;
static struct brood_queue *queue;
static struct peer_lease worker;

static bool given(void)
{
	CHECK_GE(engine_queue_dispatch(queue), 0);
	return peer_given(&worker);
}

/* The worker on lease knows of a job. */
static void begin(void)
{
	struct brood_job_options o = { .size = sizeof o };
	const struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };

	peer_init(&peer);
	peer.options.workers = peer.options.leases = 2;
	peer.options.dispatch = BROOD_PATH_LEASE;
	peer.options.run_ms = BROOD_FOREVER;
	peer_start(&peer, 16);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queue), 0);
	o.queue = queue;
	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
	peer_grant(&peer, 0, &worker);
	CHECK(WAIT_UNTIL(given(), PEER_WAIT_MS));
}

static void claim_says(uint32_t word)
{
	atomic_store(&worker.up->dones[(worker.base + 1) % RING_DEPTH].claim, word);
}

static void dies(uint64_t slot_page_word)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_OVER)->lease_over =
		(struct message_lease_over){ .id = worker.id,
			.how = LEASE_DIED,
			.pid = 4711,
			.generation = 1,
			.status = SIGSEGV,
			.word = slot_page_word };
	CHECK_EQ(frame_send(peer.channel, &f), 0);
}

static bool asks_again(void)
{
	CHECK_EQ(engine_queue_dispatch(queue), 0);
	return peer_readable(peer.channel);
}

static void is_blamed(uint32_t claim)
{
	const struct brood_result *r;

	peer_begin(&worker);
	claim_says(claim);
	dies(SLOT_PAGE_WORD(worker.base + 1, SLOT_PAGE_RUNNING));
	CHECK(WAIT_UNTIL(engine_take(queue, &r, 1) == 1, PEER_WAIT_MS));
	CHECK_EQ(r->verdict.outcome, BROOD_CRASHED);
	CHECK(r->verdict.started);
	engine_queue_free(queue);
}

static void moves_on(uint32_t claim)
{
	struct frame f;

	begin();
	claim_says(claim);
	dies(SLOT_PAGE_WORD(worker.base, SLOT_PAGE_DONE));
	CHECK(WAIT_UNTIL(asks_again(), PEER_WAIT_MS));
	peer_hear(&peer, &f, MESSAGE_LEASE);
	frame_done(&f);
	CHECK_EQ(engine_queue_out(queue), 1);
	engine_queue_free(queue);
}

/* Else the job would go from worker to worker, and each would die. */
static void cleared(void)
{
	begin();
	is_blamed(0);
}
Test(engine_claims, a_job_that_clears_its_claim_and_crashes_is_blamed) { case_run(cleared, 30000); }

static void opened(void)
{
	begin();
	is_blamed(CLAIM_WORD(worker.base + 1 - RING_DEPTH, CLAIM_TAKEN));
}
Test(engine_claims, a_job_that_opens_its_claim_and_crashes_is_blamed) { case_run(opened, 30000); }

/* The word of the slot page says that the job had not begun. */
static void nonsense(void) { moves_on(12345); }
Test(engine_claims, nonsense_in_the_claim_on_a_later_job_is_not_its_fault)
{
	case_run(nonsense, 30000);
}

static void untouched(void)
{
	begin();
	CHECK_EQ(atomic_load(&worker.up->dones[(worker.base + 1) % RING_DEPTH].claim),
		CLAIM_WORD(worker.base + 1 - RING_DEPTH, CLAIM_WITHDRAWN));
	CHECK(ring_withdraw(worker.up->dones, worker.base + 1));
	engine_queue_free(queue);
}
Test(engine_claims, the_first_claims_of_a_lease_are_open) { case_run(untouched, 30000); }
