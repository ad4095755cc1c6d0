/* SPDX-License-Identifier: MIT */
/*
 * slots.c - the slots, compared with plain arrays, one a state, in the order in which slots came.
 */
#include "pool/slots.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <signal.h>

#define SLOTS 50
#define STEPS 5000

TestSuite(unit_slots, .timeout = 60);

static const bool allowed[SLOT_STATES][SLOT_STATES] = {
	[SLOT_EMPTY] = { [SLOT_ORDERED] = true, [SLOT_STARTING] = true, [SLOT_SPARE] = true },
	[SLOT_ORDERED] = { [SLOT_STARTING] = true, [SLOT_EMPTY] = true },
	[SLOT_STARTING] = { [SLOT_IDLE] = true, [SLOT_ENDING] = true, [SLOT_EMPTY] = true },
	[SLOT_IDLE] = { [SLOT_BUSY] = true,
		[SLOT_LEASED] = true,
		[SLOT_ENDING] = true,
		[SLOT_EMPTY] = true },
	[SLOT_BUSY] = { [SLOT_IDLE] = true, [SLOT_ENDING] = true, [SLOT_EMPTY] = true },
	[SLOT_LEASED] = { [SLOT_IDLE] = true, [SLOT_ENDING] = true, [SLOT_EMPTY] = true },
	[SLOT_ENDING] = { [SLOT_EMPTY] = true, [SLOT_UNDEAD] = true },
	[SLOT_UNDEAD] = { [SLOT_EMPTY] = true, [SLOT_SPARE] = true },
	[SLOT_SPARE] = { [SLOT_EMPTY] = true },
};

struct model {
	struct slot_link *order[SLOT_STATES][SLOTS];
	uint32_t counts[SLOT_STATES];
};

static void model_enter(struct model *m, struct slot_link *l, enum slot_state state)
{
	struct slot_link **order = m->order[state];

	if (state == SLOT_IDLE) { /* the warmest is first */
		memmove(order + 1, order, m->counts[state] * sizeof *order);
		order[0] = l;
	} else {
		order[m->counts[state]] = l;
	}
	m->counts[state]++;
}

static void model_leave(struct model *m, struct slot_link *l, enum slot_state state)
{
	struct slot_link **order = m->order[state];
	uint32_t at = 0;

	while (order[at] != l)
		at++;
	m->counts[state]--;
	memmove(order + at, order + at + 1, (m->counts[state] - at) * sizeof *order);
}

static void check(struct slots *s, const struct model *m)
{
	uint32_t total = 0;

	for (unsigned state = 0; state < SLOT_STATES; state++) {
		uint32_t n = 0;

		cr_assert_eq(s->counts[state], m->counts[state]);
		cr_assert_eq(slots_first(s, (enum slot_state)state),
			m->counts[state] ? m->order[state][0] : NULL);
		list_for_each_safe(pos, next, &s->lists[state]) {
			cr_assert_eq(container_of(pos, struct slot_link, link), m->order[state][n]);
			n++;
		}
		cr_assert_eq(n, m->counts[state]);
		total += n;
	}
	cr_assert_eq(total, SLOTS, "a slot is in exactly one list");
}

static void run_model(uint64_t seed)
{
	struct unit_random r = { seed };
	struct slot_link links[SLOTS];
	struct model m = { 0 };
	struct slots s;

	slots_init(&s);
	for (int i = 0; i < SLOTS; i++) {
		slots_add(&s, &links[i], SLOT_EMPTY);
		model_enter(&m, &links[i], SLOT_EMPTY);
	}
	for (int step = 0; step < STEPS; step++) {
		struct slot_link *l = &links[unit_below(&r, SLOTS)];
		enum slot_state from = l->state, to = (enum slot_state)unit_below(&r, SLOT_STATES);

		if (!allowed[from][to])
			continue;
		slots_move(&s, l, to);
		cr_assert_eq(l->state, to);
		model_leave(&m, l, from);
		model_enter(&m, l, to);
		if (step % 8 == 0)
			check(&s, &m);
	}
	check(&s, &m);
}

Test(unit_slots, model)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++)
		run_model(seed * 0x9e3779b97f4a7c15ull);
}

Test(unit_slots, the_warmest_goes_first_and_the_longest_empty)
{
	struct slot_link links[3];
	struct slots s;

	slots_init(&s);
	cr_assert_null(slots_first(&s, SLOT_EMPTY));
	for (int i = 0; i < 3; i++)
		slots_add(&s, &links[i], SLOT_EMPTY);
	cr_assert_eq(slots_first(&s, SLOT_EMPTY), &links[0]);
	for (int i = 0; i < 3; i++) {
		slots_move(&s, &links[i], SLOT_STARTING);
		slots_move(&s, &links[i], SLOT_IDLE);
	}
	cr_assert_eq(slots_first(&s, SLOT_IDLE), &links[2]);
	slots_move(&s, &links[1], SLOT_BUSY);
	slots_move(&s, &links[1], SLOT_IDLE);
	cr_assert_eq(slots_first(&s, SLOT_IDLE), &links[1]);
}

static void kill_one(struct slots *s, struct slot_link *l)
{
	slots_move(s, l, SLOT_STARTING);
	slots_move(s, l, SLOT_ENDING);
	slots_undead(s, l);
}

/*
 * Two workers and two spare slots: with two undead workers the pool still has its number; with a
 * third it has not.
 */
Test(unit_slots, a_spare_place_takes_over)
{
	struct slot_link links[4];
	struct slots s;

	slots_init(&s);
	for (int i = 0; i < 4; i++)
		slots_add(&s, &links[i], i < 2 ? SLOT_EMPTY : SLOT_SPARE);
	cr_assert_eq(slots_working(&s), 2);
	kill_one(&s, &links[0]);
	cr_assert_eq(slots_working(&s), 2);
	cr_assert_eq(links[2].state, SLOT_EMPTY);
	cr_assert_eq(slots_first(&s, SLOT_EMPTY), &links[1], "a place of old goes first");
	kill_one(&s, &links[1]);
	cr_assert_eq(slots_working(&s), 2);
	kill_one(&s, &links[2]);
	cr_assert_eq(slots_working(&s), 1);
	slots_revive(&s, &links[2], 2);
	cr_assert_eq(links[2].state, SLOT_EMPTY, "the pool is short of it");
	slots_revive(&s, &links[0], 2);
	cr_assert_eq(links[0].state, SLOT_SPARE);
	cr_assert_eq(slots_working(&s), 2);
	cr_assert_eq(s.counts[SLOT_UNDEAD], 1);
}

/* A birth that is under way has its place. */
Test(unit_slots, an_ordered_place_works)
{
	struct slot_link links[2];
	struct slots s;

	slots_init(&s);
	for (int i = 0; i < 2; i++)
		slots_add(&s, &links[i], SLOT_EMPTY);
	slots_move(&s, &links[0], SLOT_ORDERED);
	cr_assert_eq(slots_working(&s), 2);
	cr_assert_eq(slots_first(&s, SLOT_EMPTY), &links[1]);
	slots_move(&s, &links[0], SLOT_EMPTY);
	cr_assert_eq(slots_first(&s, SLOT_EMPTY), &links[1], "it goes to the end of the queue");
}

/* Each move that makes no sense aborts. Each takes a process, so only likely mistakes are tried. */
static void move_badly(enum slot_state from, enum slot_state to)
{
	struct slot_link l;
	struct slots s;

	slots_init(&s);
	slots_add(&s, &l, SLOT_EMPTY);
	if (from != SLOT_EMPTY)
		slots_move(&s, &l, from == SLOT_ORDERED ? from : SLOT_STARTING);
	if (from == SLOT_IDLE || from == SLOT_BUSY)
		slots_move(&s, &l, SLOT_IDLE);
	if (from == SLOT_BUSY || from == SLOT_ENDING)
		slots_move(&s, &l, from);
	if (from == SLOT_UNDEAD)
		slots_move(&s, &l, SLOT_ENDING), slots_move(&s, &l, from);
	cr_assert_eq(l.state, from);
	slots_move(&s, &l, to);
}
Test(unit_slots, empty_is_not_idle, .signal = SIGABRT) { move_badly(SLOT_EMPTY, SLOT_IDLE); }
Test(unit_slots, starting_is_not_busy, .signal = SIGABRT) { move_badly(SLOT_STARTING, SLOT_BUSY); }
Test(unit_slots, ending_takes_no_job, .signal = SIGABRT) { move_badly(SLOT_ENDING, SLOT_IDLE); }
Test(unit_slots, busy_takes_no_second_job, .signal = SIGABRT) { move_badly(SLOT_BUSY, SLOT_BUSY); }
Test(unit_slots, undead_takes_no_worker, .signal = SIGABRT)
{
	move_badly(SLOT_UNDEAD, SLOT_STARTING);
}
Test(unit_slots, ordered_is_not_idle, .signal = SIGABRT) { move_badly(SLOT_ORDERED, SLOT_IDLE); }
Test(unit_slots, ordered_has_nobody_to_end, .signal = SIGABRT)
{
	move_badly(SLOT_ORDERED, SLOT_ENDING);
}
Test(unit_slots, no_such_state, .signal = SIGABRT) { move_badly(SLOT_IDLE, SLOT_STATES); }

Test(unit_slots, a_cooled_one_is_the_last)
{
	struct slot_link links[3];
	struct slots s;

	slots_init(&s);
	cr_assert_null(slots_coldest(&s));
	for (int i = 0; i < 3; i++)
		slots_add(&s, &links[i], SLOT_IDLE);
	cr_assert_eq(slots_coldest(&s), &links[0]);
	slots_cool(&s, &links[2]);
	cr_assert_eq(slots_first(&s, SLOT_IDLE), &links[1]);
	cr_assert_eq(slots_coldest(&s), &links[2]);
	cr_assert_eq(s.counts[SLOT_IDLE], 3);
	slots_warm(&s, &links[2]);
	cr_assert_eq(slots_first(&s, SLOT_IDLE), &links[2]);
	cr_assert_eq(slots_coldest(&s), &links[0]);
	cr_assert_eq(s.counts[SLOT_IDLE], 3);
}
