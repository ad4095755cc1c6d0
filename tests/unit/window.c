/* SPDX-License-Identifier: MIT */
/* window.c - the items of a map: by hand, and at random against what must always hold. */
#include "base/base.h"
#include "pool/window.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(unit_window, .timeout = 60);

static size_t give_all(struct window *w)
{
	size_t given = 0;

	for (; window_open(w); given++)
		window_given(w);
	return given;
}

Test(unit_window, nothing_to_do)
{
	struct window w;

	window_init(&w, 0, 4);
	cr_assert_not(window_open(&w));
	cr_assert(window_all(&w));
	cr_assert_null(window_any(&w));
}

Test(unit_window, as_they_come_only_at_once_counts)
{
	struct window w;

	window_init(&w, 10, 4);
	cr_assert_eq(give_all(&w), 4);
	cr_assert_eq(w.next, 4);
	for (size_t i = 4; i-- > 0;) {
		window_ended(&w);
		cr_assert(window_turn(&w, i), "each has its turn at once");
		window_told(&w);
	}
	cr_assert_eq(w.told, 4);
	cr_assert_eq(give_all(&w), 4);
	for (int i = 0; i < 4; i++)
		window_ended(&w);
	cr_assert_eq(give_all(&w), 2, "no more than there are");
	cr_assert_eq(w.out, 2);
}

/* A batch of items was counted, and the last ones found no room: they are the next ones again. */
Test(unit_window, what_was_not_given_is_next_again)
{
	struct window w;

	window_init(&w, 5, 3);
	cr_assert_eq(give_all(&w), 3);
	window_not_given(&w);
	window_not_given(&w);
	cr_assert_eq(w.next, 1);
	cr_assert_eq(w.out, 1);
	cr_assert(window_open(&w));
	window_ended(&w);
	window_told(&w);
	cr_assert_eq(give_all(&w), 3);
	cr_assert_eq(w.next, 4);
}

Test(unit_window, what_was_not_given_opens_the_window)
{
	struct window_slot slots[2] = { 0 };
	struct window w;

	window_init(&w, 5, 5);
	window_order(&w, slots, 2, 1);
	cr_assert_eq(give_all(&w), 2);
	window_not_given(&w);
	cr_assert(window_open(&w));
	cr_assert_eq(give_all(&w), 1);
	cr_assert_eq(w.next, 2);
}

/* The first item hangs: others are held until the window is full, and told once it has ended. */
Test(unit_window, a_late_first_item_holds_the_others)
{
	struct window_slot slots[4] = { 0 };
	int results[8];
	struct window w;

	window_init(&w, 8, 2);
	window_order(&w, slots, 4, UINT64_MAX);
	cr_assert_eq(give_all(&w), 2);
	for (size_t i = 1; i < 4; i++) {
		window_ended(&w);
		cr_assert_not(window_turn(&w, i));
		window_hold(&w, i, &results[i], 10);
		cr_assert_null(window_next(&w), "item 0 is missing");
		cr_assert_eq(give_all(&w), i < 3, "item 4 is outside of the window");
	}
	cr_assert_eq(w.out, 1);
	cr_assert_eq(w.held, 3);
	cr_assert_eq(w.bytes, 30);
	window_ended(&w);
	cr_assert(window_turn(&w, 0));
	window_told(&w);
	for (size_t i = 1; i < 4; i++) {
		cr_assert_eq(window_next(&w), (void *)&results[i]);
		window_told(&w);
	}
	cr_assert_null(window_next(&w));
	cr_assert_eq(w.bytes, 0);
	cr_assert_eq(give_all(&w), 2);
	cr_assert_eq(w.next, 6);
}

Test(unit_window, it_closes_by_bytes)
{
	struct window_slot slots[100] = { 0 };
	int result;
	struct window w;

	window_init(&w, 100, 3);
	window_order(&w, slots, 100, 1000);
	give_all(&w);
	window_ended(&w);
	window_hold(&w, 1, &result, 999);
	cr_assert_eq(give_all(&w), 1);
	window_ended(&w);
	window_hold(&w, 2, &result, 1);
	cr_assert_eq(give_all(&w), 0, "1000 bytes wait");
	window_ended(&w);
	window_told(&w);
	cr_assert_not_null(window_next(&w));
	window_told(&w);
	cr_assert_eq(give_all(&w), 2, "1 byte waits");
}

Test(unit_window, over_gives_no_more)
{
	struct window w;

	window_init(&w, 100, 3);
	window_given(&w);
	w.over = true;
	cr_assert_not(window_open(&w));
	window_ended(&w);
	cr_assert_not(window_open(&w));
	window_told(&w);
	for (size_t i = 1; i < 100; i++) {
		cr_assert_not(window_all(&w));
		window_refused(&w);
		cr_assert(window_turn(&w, i));
		window_told(&w);
	}
	cr_assert(window_all(&w));
	cr_assert_eq(w.ended, 100);
}

Test(unit_window, all_that_is_held_can_be_dropped)
{
	struct window_slot slots[5] = { 0 };
	int results[5];
	struct window w;

	window_init(&w, 5, 5);
	window_order(&w, slots, 5, UINT64_MAX);
	give_all(&w);
	for (size_t i = 1; i < 5; i += 2) {
		window_ended(&w);
		window_hold(&w, i, &results[i], i);
	}
	cr_assert_not_null(window_any(&w));
	cr_assert_not_null(window_any(&w));
	cr_assert_null(window_any(&w));
	cr_assert_eq(w.bytes, 0);
	cr_assert_eq(w.held, 0);
}

/* ---- how many at once ---- */

/* One item after the other ends, and has run for so long. */
static void end_many(struct window *w, int count, uint64_t run_ns, uint64_t bytes)
{
	for (int i = 0; i < count; i++) {
		size_t before = w->at_once;

		give_all(w);
		window_ended(w);
		window_told(w);
		window_measured(w, run_ns, bytes);
		cr_assert_leq(w->at_once, before + 1, "it does not jump");
	}
}

Test(unit_window, many_short_items_are_out)
{
	struct window w;

	window_init(&w, SIZE_MAX, 4);
	window_adapt(&w, 256);
	end_many(&w, 1000, 1000, 100);
	cr_assert_eq(w.at_once, 256);
	end_many(&w, 100, 20 * NS_PER_MS, 100);
	cr_assert_eq(w.at_once, 4, "no fewer than two a worker");
	end_many(&w, 1000, 0, 0);
	cr_assert_eq(w.at_once, 256);
}

Test(unit_window, what_is_out_takes_a_moment)
{
	struct window w;

	window_init(&w, SIZE_MAX, 8);
	window_adapt(&w, 256);
	end_many(&w, 1000, WINDOW_AHEAD_NS / 10, 100);
	cr_assert_geq(w.at_once, 38, "%zu", w.at_once);
	cr_assert_leq(w.at_once, 40, "four workers, each with ten that take a tenth of it");
	end_many(&w, 1000, WINDOW_AHEAD_NS / 2, 100);
	cr_assert_eq(w.at_once, 8);
}

Test(unit_window, what_is_out_has_few_bytes)
{
	struct window w;

	window_init(&w, SIZE_MAX, 4);
	window_adapt(&w, 256);
	end_many(&w, 1000, 1000, WINDOW_AHEAD_BYTES / 16);
	cr_assert_geq(w.at_once, 15);
	cr_assert_leq(w.at_once, 17);
	end_many(&w, 1000, 1000, 10 * WINDOW_AHEAD_BYTES);
	cr_assert_eq(w.at_once, 4);
}

/* One item that hangs makes it small, and it grows again. */
Test(unit_window, it_forgets_a_long_item)
{
	struct window w;

	window_init(&w, SIZE_MAX, 4);
	window_adapt(&w, 256);
	end_many(&w, 1000, 1000, 100);
	end_many(&w, 1, 1000 * NS_PER_S, 100);
	cr_assert_eq(w.at_once, 4);
	end_many(&w, 600, 1000, 100);
	cr_assert_eq(w.at_once, 256);
}

Test(unit_window, what_the_program_says_stays)
{
	struct window w;

	window_init(&w, SIZE_MAX, 7);
	end_many(&w, 1000, 0, 0);
	cr_assert_eq(w.at_once, 7);
}

/*
 * At random: any item that is out may end next. What always holds: no more out than at_once, the
 * window is never wider than it may be, told items are in order, and the map gets to its end.
 */
struct model {
	struct window w;
	struct window_slot *slots;
	size_t *out, out_count, told;
	uint64_t *bytes, held_bytes, largest; /* bytes: of each item's result */
	bool *ended;
	bool ordered;
};

static void model_make(struct model *m, struct unit_random *r)
{
	size_t count = unit_below(r, 300), at_once = 1 + unit_below(r, 40);
	size_t room = 1 + unit_below(r, 60);

	*m = (struct model){ .ordered = unit_below(r, 4) != 0 };
	window_init(&m->w, count, at_once);
	m->slots = calloc(room, sizeof *m->slots);
	if (m->ordered)
		window_order(&m->w, m->slots, room, 1 + unit_below(r, 2000));
	m->out = calloc(at_once, sizeof *m->out);
	m->bytes = calloc(count + 1, sizeof *m->bytes);
	m->ended = calloc(count + 1, sizeof *m->ended);
	for (size_t i = 0; i < count; i++) {
		m->bytes[i] = unit_below(r, 100);
		m->largest = MAX(m->largest, m->bytes[i]);
	}
}

static void model_free(struct model *m)
{
	free(m->slots);
	free(m->out);
	free(m->bytes);
	free(m->ended);
}

static void model_give(struct model *m, struct unit_random *r)
{
	while (window_open(&m->w) && unit_below(r, 10) != 0) {
		window_given(&m->w);
		if (unit_below(r, 8) == 0) {
			window_not_given(&m->w);
			cr_assert(window_open(&m->w));
			continue;
		}
		m->out[m->out_count++] = m->w.next - 1;
	}
}

static void model_tell(struct model *m, size_t index)
{
	cr_assert(m->ended[index]);
	if (m->ordered)
		cr_assert_eq(index, m->told);
	m->told++;
	window_told(&m->w);
}

static void model_end_one(struct model *m, struct unit_random *r)
{
	size_t which = unit_below(r, m->out_count), index = m->out[which];
	uint64_t *result;

	m->out[which] = m->out[--m->out_count];
	m->ended[index] = true;
	window_ended(&m->w);
	if (!window_turn(&m->w, index)) {
		window_hold(&m->w, index, &m->bytes[index], m->bytes[index]);
		m->held_bytes += m->bytes[index];
		return;
	}
	model_tell(m, index);
	while ((result = window_next(&m->w)) != NULL) {
		m->held_bytes -= *result;
		model_tell(m, (size_t)(result - m->bytes));
	}
}

static void model_check(const struct model *m)
{
	const struct window *w = &m->w;

	cr_assert_eq(w->out, m->out_count);
	cr_assert_leq(w->out, w->at_once);
	cr_assert_eq(w->told, m->told);
	cr_assert_eq(w->ended, m->told + w->held);
	cr_assert_eq(w->bytes, m->held_bytes);
	if (!m->ordered)
		return;
	cr_assert_leq(w->next - w->told, w->room);
	cr_assert_leq(w->bytes, w->bytes_room + w->at_once * m->largest);
	if (w->out == 0)
		cr_assert(window_open(w) || window_all(w), "the map does not get on");
}

Test(unit_window, random)
{
	for (uint64_t seed = 1; seed <= 10 * UNIT_SEEDS; seed++) {
		struct unit_random r = { seed };
		struct model m;

		model_make(&m, &r);
		while (!window_all(&m.w)) {
			model_give(&m, &r);
			model_check(&m);
			if (m.out_count > 0)
				model_end_one(&m, &r);
			model_check(&m);
		}
		cr_assert_eq(m.told, m.w.count);
		cr_assert_eq(m.w.held, 0);
		model_free(&m);
	}
}
