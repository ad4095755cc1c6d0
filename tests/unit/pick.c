/* SPDX-License-Identifier: MIT */
/*
 * pick.c - which worker takes the next job, when to ask for another one, and which worker lies:
 * with fake figures and a fake clock.
 */
#include "engine/collect.h"
#include "pool/pick.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_pick, .timeout = 60);

#define AT (1000 * NS_PER_S)

static const struct pick_view nobody = {
	.warm_cost = TIME_NEVER, .least_cost = TIME_NEVER, .est_ns = 1000
};

Test(unit_pick, short_jobs_are_stacked_behind_the_warm_one)
{
	struct pick_view v = nobody;

	v.idle = true;
	v.warm_cost = PICK_WARM_NS - 1000;
	cr_assert_eq(pick_lease(&v), PICK_WARM);
	v.warm_cost++;
	cr_assert_eq(pick_lease(&v), PICK_IDLE);
	v.warm_cost = 0;
	v.once = true;
	cr_assert_eq(pick_lease(&v), PICK_IDLE);
}

Test(unit_pick, the_least_loaded_has_a_limit)
{
	struct pick_view v = nobody;

	cr_assert_eq(pick_lease(&v), PICK_NONE);
	v.least_cost = PICK_FULL_NS - 1001;
	cr_assert_eq(pick_lease(&v), PICK_LEAST);
	v.least_cost++;
	cr_assert_eq(pick_lease(&v), PICK_NONE);
	v.least_cost = 0;
	v.once = true;
	cr_assert_eq(pick_lease(&v), PICK_NONE);
}

Test(unit_pick, no_unknown_one_behind_an_unknown_one)
{
	struct pick_view v = nobody;

	v.est_ns = PICK_UNKNOWN;
	v.least_cost = 0;
	cr_assert_eq(pick_lease(&v), PICK_LEAST);
	v.least_cost = pick_estimate(PICK_UNKNOWN);
	cr_assert_eq(pick_lease(&v), PICK_NONE);
}

Test(unit_pick, learns_at_once_and_then_slowly)
{
	uint32_t est = collect_learn(PICK_UNKNOWN, 4000);

	cr_assert_eq(est, 4000);
	/* it had lost its CPU: 4 times and 10 us count */
	est = collect_learn(est, NS_PER_S);
	cr_assert_eq(est, 4000 - 500 + 26000 / 8);
	for (int i = 0; i < 100; i++)
		est = collect_learn(est, 800);
	cr_assert_lt(est, 810);
	cr_assert_eq(collect_learn(PICK_UNKNOWN, UINT64_MAX), PICK_UNKNOWN - 1);
}

Test(unit_pick, asks_for_one_and_then_for_what_the_work_is_worth)
{
	cr_assert_eq(
		pick_more(&(struct pick_load){ .waiting = 1, .waiting_ns = 1, .limit = 8 }), 1);
	cr_assert_eq(pick_more(&(struct pick_load){
			     .waiting = 1, .waiting_ns = 1, .asked = 1, .limit = 8 }),
		0);
	cr_assert_eq(
		pick_more(&(struct pick_load){
			.waiting = 5, .waiting_ns = 5 * PICK_GUESS_NS, .asked = 1, .limit = 8 }),
		4);
	cr_assert_eq(
		pick_more(&(struct pick_load){
			.waiting = 50, .waiting_ns = 50 * PICK_GUESS_NS, .active = 6, .limit = 8 }),
		2);
	cr_assert_eq(
		pick_more(&(struct pick_load){
			.waiting = 1, .waiting_ns = 1, .active = 2, .stalled = 2, .limit = 8 }),
		1);
	cr_assert_eq(
		pick_more(&(struct pick_load){
			.waiting = 1, .waiting_ns = 1, .active = 2, .stalled = 1, .limit = 8 }),
		0);
}

/* 4,096 jobs of an unknown function: the leases double with each round of grants. */
Test(unit_pick, leases_start_slowly_and_double)
{
	struct pick_load load = {
		.waiting = 4096, .waiting_ns = 4096ull * PICK_GUESS_NS, .limit = 5000
	};
	uint32_t rounds = 0;

	for (; load.active < 4096; rounds++) {
		uint32_t granted = load.active, more;

		while ((more = pick_more(&load)) > 0) {
			cr_assert_leq(more, PICK_AT_ONCE);
			load.asked += more;
		}
		cr_assert_leq(load.asked, MAX(granted, PICK_FIRST));
		cr_assert_gt(load.asked, 0);
		load.active += load.asked;
		load.waiting -= load.asked;
		load.waiting_ns = load.waiting * PICK_GUESS_NS;
		load.asked = 0;
	}
	cr_assert_leq(rounds, 12);
}

Test(unit_pick, who_claims_to_be_through_for_long_lies)
{
	struct pick_doubt d = { 0 };
	uint64_t says = SLOT_PAGE_WORD(7, SLOT_PAGE_DONE);

	cr_assert(!pick_lies(&d, SLOT_PAGE_WORD(7, SLOT_PAGE_RUNNING), 6, AT));
	/* what was told already */
	cr_assert(!pick_lies(&d, SLOT_PAGE_WORD(6, SLOT_PAGE_DONE), 6, AT));
	cr_assert(!pick_lies(&d, says, 6, AT));
	cr_assert(!pick_lies(&d, says, 6, AT + PICK_LIE_NS - 1));
	cr_assert(pick_lies(&d, says, 6, AT + PICK_LIE_NS));
	cr_assert(!pick_lies(&d, says, 7, AT + PICK_LIE_NS)); /* it has told */
	/* each doubt begins anew */
	cr_assert(!pick_lies(&d, says, 6, AT + 2 * PICK_LIE_NS));
	cr_assert(!pick_lies(&d, SLOT_PAGE_WORD(8, SLOT_PAGE_DONE), 6, AT + 4 * PICK_LIE_NS));
}

/*
 * Queues ask one after another for as many workers as they may have: each gets some, as long as any
 * are free.
 */
static void ask_in_turn(struct pick_room *r, uint32_t *got, int queues)
{
	for (int queue = 0; queue < queues; queue++)
		for (got[queue] = r->asked = 0; got[queue] < 1000 && pick_may_ask(r);
			r->asked++, r->out++)
			got[queue]++;
}

Test(unit_pick, one_queue_leaves_room_for_the_next)
{
	struct pick_room r = { .workers = 8, .waiting = 8 },
			 large = { .workers = 200, .waiting = 64 };
	uint32_t got[10];

	ask_in_turn(&r, got, 10);
	/* all free workers, and no more */
	cr_assert_eq(got[0], 8);
	for (int queue = 1; queue < 9; queue++)
		cr_assert_eq(got[queue], 1);
	cr_assert_eq(got[9], 0);
	cr_assert_eq(r.out, 16);
	r.out--;
	r.asked = 0;
	/* who has none may have the last one */
	cr_assert(pick_may_ask(&r));
	r.asked = 1;
	cr_assert(!pick_may_ask(&r));
	r.out = 7;
	cr_assert(pick_may_ask(&r));
	ask_in_turn(&large, got, 3);
	cr_assert_eq(got[0], 200);
	cr_assert_eq(got[1], 7);
	cr_assert_eq(got[2], 6);
}

Test(unit_pick, a_worker_is_spare_only_beyond_all_wishes)
{
	struct pick_pool p = { .idle = 2, .leased = 1, .library = 1, .out = 1, .limit = 8 };

	cr_assert_eq(pick_spare(&p), 2);
	p.out = 2; /* one is on its way */
	cr_assert_eq(pick_spare(&p), 1);
	p.out = 9;
	cr_assert_eq(pick_spare(&p), 0);
	p.out = 1;
	p.leased = 2; /* an end is on its way */
	cr_assert_eq(pick_spare(&p), 2);
	p.limit = 2;
	cr_assert_eq(pick_spare(&p), 1);
	p.out = 3;
	cr_assert_eq(pick_spare(&p), 0); /* the limit is reached by a wish */
	p.out = 2;
	p.library = 2;
	cr_assert_eq(pick_spare(&p), 0);
	/* the other one is an explicit lease */
	p.library = 1;
	cr_assert_eq(pick_spare(&p), 1);
}

#define JOBS(first, last) .collected = (first)-1, .published = (last)

Test(unit_pick, who_stands_behind_a_long_one_is_moved)
{
	struct pick_stand s = { JOBS(10, 12), .head_since = AT - 1000, .began_ns = AT };
	uint64_t late = AT + PICK_STAND_NS;

	cr_assert_eq(pick_stands(&s, AT - 1), PICK_STAY);
	cr_assert_eq(pick_stands(&s, late - 1), PICK_STAY);
	cr_assert_eq(pick_stands(&s, late), PICK_MOVE_SLOW);
	cr_assert_eq(pick_stand_due(&s, false, AT + 1), late);
	s.stalled = true; /* then nobody stands behind it */
	cr_assert_eq(pick_stand_due(&s, false, late), TIME_NEVER);
	cr_assert_eq(pick_stand_due(&s, true, late), TIME_NEVER);
}

Test(unit_pick, a_worker_without_a_cpu_has_more_time)
{
	struct pick_stand s = { JOBS(10, 12), .head_since = AT, .began_ns = TIME_NEVER };
	uint64_t late = AT + PICK_NO_CPU_NS;

	cr_assert_eq(pick_stands(&s, late - 1), PICK_STAY);
	cr_assert_eq(pick_stands(&s, late), PICK_MOVE_SLOW);
	/* the job may begin meanwhile */
	cr_assert_eq(pick_stand_due(&s, false, AT), AT + PICK_STAND_NS);
	cr_assert_eq(pick_stand_due(&s, false, late - 1), late);
}

Test(unit_pick, who_stands_behind_one_after_another_is_moved)
{
	struct pick_stand s = { JOBS(10, 20), .head_since = AT, .began_ns = AT, .seen = 15 };
	uint64_t now = AT + PICK_STAND_NS / 4;

	s.seen_ns = now - PICK_STAND_NS;
	cr_assert_eq(pick_stands(&s, now - 1), PICK_STAY);
	/* jobs 11 to 15 were there then */
	cr_assert_eq(pick_stands(&s, now), PICK_MOVE);
	s.began_ns++; /* a very short job: the others move on */
	cr_assert_eq(pick_stands(&s, now), PICK_STAY);
	s.began_ns--;
	/* all jobs that were there then have begun */
	s.seen = 10;
	cr_assert_eq(pick_stands(&s, now), PICK_STAY);
}

Test(unit_pick, no_timer_where_nobody_stands_behind)
{
	struct pick_stand one = { JOBS(10, 10), .head_since = AT, .began_ns = AT };
	struct pick_stand none = { JOBS(10, 9), .head_since = AT, .began_ns = TIME_NEVER };

	cr_assert_eq(pick_stand_due(&one, false, AT), TIME_NEVER);
	/* somebody waits in the queue */
	cr_assert_eq(pick_stand_due(&one, true, AT), AT + PICK_STAND_NS);
	cr_assert_eq(pick_stand_due(&none, true, AT), TIME_NEVER);
	cr_assert_eq(pick_stands(&none, AT + NS_PER_S), PICK_STAY);
}
