/* SPDX-License-Identifier: MIT */
/* rank.c - normal jobs and jobs in the background: whose turn it is. */
#include "base/base.h"
#include "pool/rank.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_rank, .timeout = 60);

struct waiter {
	struct list link;
	bool background;
	int number;
};

static struct waiter waiters[200];

static void add(struct rank_queue *t, int number, bool background, bool front)
{
	waiters[number] = (struct waiter){ .background = background, .number = number };
	rank_add(t, &waiters[number].link, background, front);
}

static struct waiter *next(struct rank_queue *t)
{
	struct list *link = rank_first(t);
	struct waiter *w = link ? container_of(link, struct waiter, link) : NULL;

	if (!w)
		return NULL;
	list_remove(link);
	rank_begun(t, w->background);
	return w;
}

Test(unit_rank, alone_each_is_first_come_first_served)
{
	for (int background = 0; background < 2; background++) {
		struct rank_queue t;

		rank_init(&t);
		cr_assert_null(rank_first(&t));
		for (int i = 0; i < 20; i++)
			add(&t, i, background, false);
		add(&t, 20, background, true);
		cr_assert_eq(next(&t)->number, 20, "it comes back to the front");
		for (int i = 0; i < 20; i++)
			cr_assert_eq(next(&t)->number, i);
		cr_assert_null(next(&t));
	}
}

Test(unit_rank, one_start_in_eight)
{
	int background = 0, last[2] = { -1, 99 };
	struct rank_queue t;

	rank_init(&t);
	for (int i = 0; i < 200; i++)
		add(&t, i, i >= 100, false);
	for (int i = 1; i <= 112; i++) {
		struct waiter *w = next(&t);

		background += w->background;
		cr_assert_eq(w->background, i % RANK_ROUND == 0, "start %d", i);
		cr_assert_eq(w->number, ++last[w->background], "each in its order");
	}
	cr_assert_eq(background, 14);
}

/* Who was alone, and then is not, begins with no claim, nor with a debt. */
Test(unit_rank, what_was_before_does_not_count)
{
	struct rank_queue t;

	rank_init(&t);
	for (int i = 0; i < 50; i++)
		add(&t, i, false, false);
	for (int i = 0; i < 20; i++)
		cr_assert_not(next(&t)->background);
	for (int i = 50; i < 60; i++)
		add(&t, i, true, false);
	for (int i = 1; i <= 16; i++)
		cr_assert_eq(next(&t)->background, i % RANK_ROUND == 0);
}

/* Who stands first and cannot begin yet stays first: looking costs no turn. */
Test(unit_rank, looking_is_not_taking)
{
	struct rank_queue t;

	rank_init(&t);
	add(&t, 0, false, false);
	add(&t, 1, true, false);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(rank_first(&t), &waiters[0].link);
	cr_assert_eq(next(&t)->number, 0);
	cr_assert_eq(next(&t)->number, 1);
}
