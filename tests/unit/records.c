/* SPDX-License-Identifier: MIT */
/*
 * records.c - the job records, compared with an array of what each should be, and with a queue of
 * ids.
 */
#include "pool/records.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <signal.h>

#define COUNT 37 /* no power of two: the modulus is a real one */
#define STEPS 8000

TestSuite(unit_records, .timeout = 60);

struct owner {
	struct record_link link;
	char payload[40];
};
struct model {
	enum record_state state[COUNT];
	uint64_t id[COUNT], queue[COUNT], told[COUNT], paused[COUNT];
	uint32_t queued, told_count, paused_count, peak, out;
};

static void drop_id(uint64_t *ids, uint32_t *count, uint64_t id)
{
	for (uint32_t i = 0; i < *count; i++) {
		if (ids[i] != id)
			continue;
		(*count)--;
		memmove(ids + i, ids + i + 1, (*count - i) * sizeof *ids);
		return;
	}
}

static void model_leave(struct model *m, uint64_t id)
{
	drop_id(m->queue, &m->queued, id);
	drop_id(m->told, &m->told_count, id);
	drop_id(m->paused, &m->paused_count, id);
}

static void check_order(
	struct list *head, const uint64_t *ids, uint32_t count, enum record_state state)
{
	uint32_t n = 0;

	list_for_each_safe(pos, next, head) {
		struct record_link *l = container_of(pos, struct record_link, link);

		cr_assert_lt(n, count);
		cr_assert_eq(l->id, ids[n]);
		cr_assert_eq(l->state, state);
		n++;
	}
	cr_assert_eq(n, count);
}

static void check(struct records *r, struct model *m)
{
	struct record_link *next = records_next(r), *told = records_told(r),
			   *paused = records_paused(r);

	cr_assert_eq(r->queued, m->queued);
	cr_assert_eq(r->queued_peak, m->peak);
	cr_assert_eq(r->out, m->out);
	cr_assert_eq(next ? next->id : 0, m->queued ? m->queue[0] : 0);
	cr_assert_eq(told ? told->id : 0, m->told_count ? m->told[0] : 0);
	cr_assert_eq(paused ? paused->id : 0, m->paused_count ? m->paused[0] : 0);
	check_order(&r->paused, m->paused, m->paused_count, RECORD_PAUSED);
	check_order(&r->queue.normal, m->queue, m->queued, RECORD_QUEUED);
	check_order(&r->told, m->told, m->told_count, RECORD_TOLD);
}

static void claim(struct records *r, struct model *m, uint64_t id)
{
	size_t at = id % COUNT;
	struct record_link *l = records_claim(r, id);

	cr_assert_eq(l != NULL, id != 0 && m->state[at] == RECORD_FREE);
	if (!l)
		return;
	cr_assert_eq(l->id, id);
	cr_assert_eq(l->state, RECORD_CLAIMED);
	m->state[at] = RECORD_CLAIMED;
	m->id[at] = id;
	m->out++;
}

static void move(struct records *r, struct model *m, size_t at, uint64_t what)
{
	uint64_t id = m->id[at];
	struct record_link *l = records_find(r, id);
	bool front = what & 1;

	cr_assert_not_null(l);
	if (what == 6 || what == 7) {
		records_release(r, l);
		model_leave(m, id);
		m->state[at] = RECORD_FREE;
		m->out--;
		cr_assert_null(records_find(r, id));
		return;
	}
	if (m->state[at] == RECORD_TOLD)
		return;
	model_leave(m, id);
	if (what < 2) {
		records_queue(r, l, front);
		memmove(m->queue + front, m->queue, front ? m->queued * sizeof m->queue[0] : 0);
		m->queue[front ? 0 : m->queued] = id;
		m->queued++;
		m->peak = MAX(m->peak, m->queued);
		m->state[at] = RECORD_QUEUED;
	} else if (what == 8) {
		records_pause(r, l);
		m->paused[m->paused_count++] = id;
		m->state[at] = RECORD_PAUSED;
	} else if (what < 4) {
		records_run(r, l);
		m->state[at] = RECORD_RUNNING;
	} else {
		records_tell(r, l);
		m->told[m->told_count++] = id;
		m->state[at] = RECORD_TOLD;
	}
	cr_assert_eq(l->state, m->state[at]);
}

static uint64_t some_id(struct unit_random *r, size_t at)
{
	return unit_below(r, 5) ? unit_below(r, 1000) * COUNT + at
				: UINT64_MAX - unit_below(r, COUNT);
}

static void run_model(uint64_t seed)
{
	struct unit_random random = { seed };
	struct model m = { 0 };
	struct records r;

	cr_assert_eq(records_init(&r, COUNT, sizeof(struct owner)), 0);
	for (int step = 0; step < STEPS; step++) {
		size_t at = unit_below(&random, COUNT);

		if (m.state[at] == RECORD_FREE || unit_below(&random, 4) == 0)
			claim(&r, &m, some_id(&random, at));
		else
			move(&r, &m, at, unit_below(&random, 9));
		if (step % 16 == 0)
			check(&r, &m);
	}
	check(&r, &m);
	records_free(&r);
}

Test(unit_records, model)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++)
		run_model(seed * 0x9e3779b97f4a7c15ull);
}

Test(unit_records, init_says_what_is_wrong)
{
	struct records r;

	cr_assert_eq(records_init(&r, 0, sizeof(struct owner)), -EINVAL);
	cr_assert_eq(records_init(&r, 4, sizeof(struct record_link) - 1), -EINVAL);
	cr_assert_eq(records_init(&r, 4, sizeof(struct record_link) + 1), -EINVAL,
		"links must be aligned");
	cr_assert_eq(records_init(&r, UINT32_MAX, SIZE_MAX / 16 * 8), -ENOMEM,
		"the size in bytes wraps");
	cr_assert_eq(records_init(&r, 4, sizeof(struct owner)), 0);
	records_free(&r);
	records_free(&r);
	records_free(NULL);
}

Test(unit_records, who_is_found)
{
	struct record_link *l;
	struct records r;

	cr_assert_eq(records_init(&r, 4, sizeof(struct owner)), 0);
	cr_assert_null(records_claim(&r, 0), "0 is no job");
	cr_assert_null(records_find(&r, 0));
	cr_assert_null(records_find(&r, 7));
	l = records_claim(&r, 7);
	cr_assert_not_null(l);
	cr_assert_null(records_claim(&r, 7), "taken");
	cr_assert_null(records_claim(&r, 11), "its record is out");
	cr_assert_null(records_find(&r, 11), "another job of the same record");
	cr_assert_eq(records_find(&r, 7), l);
	records_tell(&r, l);
	cr_assert_eq(records_find(&r, 7), l, "out until the socket took the verdict");
	records_release(&r, l);
	cr_assert_null(records_find(&r, 7));
	cr_assert_eq(records_claim(&r, 11), l);
	cr_assert_not_null(records_claim(&r, UINT64_MAX - 1));
	records_free(&r);
}

Test(unit_records, each_has_its_own_memory)
{
	struct record_link *l[4];
	struct records r;

	cr_assert_eq(records_init(&r, 4, sizeof(struct owner)), 0);
	for (uint64_t i = 0; i < 4; i++) {
		l[i] = records_claim(&r, i + 1);
		for (size_t k = 0; k < sizeof(struct owner) - sizeof(struct record_link); k++)
			cr_assert_eq(((struct owner *)l[i])->payload[k], 0, "zeroed");
		memset(((struct owner *)l[i])->payload, 0xff,
			sizeof((struct owner *)l[i])->payload);
	}
	for (uint64_t i = 0; i < 4; i++)
		cr_assert_eq(records_find(&r, i + 1), l[i]);
	records_free(&r);
}

/* Two pools: an id names one record, whose queue and counts are its own pool's. */
Test(unit_records, pools_share_the_memory_and_nothing_else)
{
	struct record_link *a, *b;
	struct records first, second;

	cr_assert_eq(records_init(&first, 4, sizeof(struct owner)), 0);
	records_share(&second, &first);
	a = records_claim(&first, 5);
	b = records_claim(&second, 6);
	cr_assert_null(records_claim(&second, 9), "the record of 5");
	cr_assert_eq(records_find(&first, 6), b);
	cr_assert_eq(records_find(&second, 5), a);
	records_queue(&first, a, false);
	records_queue(&second, b, false);
	cr_assert_eq(records_next(&first), a);
	cr_assert_eq(records_next(&second), b);
	cr_assert_eq(first.queued, 1);
	cr_assert_eq(second.out, 1);
	records_tell(&second, b);
	cr_assert_null(records_told(&first));
	records_release(&second, b);
	cr_assert_eq(second.out, 0);
	cr_assert_eq(first.out, 1);
	cr_assert_eq(records_claim(&first, 10), b);
	records_free(&first);
}

static void misuse(void (*again)(struct records *, struct record_link *))
{
	struct records r;
	struct record_link *l;

	records_init(&r, 4, sizeof(struct owner));
	l = records_claim(&r, 1);
	records_tell(&r, l);
	again(&r, l);
}
static void queue_again(struct records *r, struct record_link *l) { records_queue(r, l, true); }
static void release_twice(struct records *r, struct record_link *l)
{
	records_release(r, l);
	records_release(r, l);
}
Test(unit_records, a_second_verdict_is_a_bug_of_ours, .signal = SIGABRT) { misuse(records_tell); }
Test(unit_records, a_job_with_a_verdict_does_not_run, .signal = SIGABRT) { misuse(records_run); }
Test(unit_records, a_job_with_a_verdict_does_not_queue, .signal = SIGABRT) { misuse(queue_again); }
Test(unit_records, a_free_record_is_not_released, .signal = SIGABRT) { misuse(release_twice); }
