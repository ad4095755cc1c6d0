/* SPDX-License-Identifier: MIT */
/*
 * conformance_by_id.c - brood_wait_id() on every path that has results: the result goes to the call
 * and to nobody else; the other results, waits and callbacks of the queue are as ever.
 */
#include "../helpers/conformance.h"

#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(conformance, .timeout = 1000);

#define PATIENCE ((uint32_t)test_scaled(60000))
#define NOBODY   UINT64_C(0x7fffffffffffffff)

/* In place of finish(): a callback, or brood_take(), would store a second result. */
static struct given *finish_by_id(struct given *g)
{
	const struct brood_result *result = NULL;
	int r = brood_wait_id(g->queue, g->id, PATIENCE, &result);

	CHECK_MSG(r == 0, "%s, %s: %d, %s", way_names[g->way], g->what.name, r, brood_error());
	CHECK_EQ(result->size, sizeof *result);
	CHECK(result->context == g);
	CHECK_EQ(result->verdict.id, g->id);
	CHECK_EQ(atomic_fetch_add(&g->results, 1), 0);
	g->elapsed_us = now_ns() / NS_PER_US - g->begin_us;
	g->v = result->verdict;
	g->reply_size = result->reply_size;
	g->reply = malloc(result->reply_size + 1);
	CHECK(g->reply);
	if (result->reply_size)
		memcpy(g->reply, result->reply, result->reply_size);
	atomic_store(&g->over, 1);
	return finish(g);
}

static int numbers(struct brood_job *job)
{
	long number = said(job)->number;

	return brood_job_reply(job, &number, sizeof number) == sizeof number ? 0 : 1;
}

static void check_number(struct given *g, long number)
{
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->reply_size, sizeof number);
	CHECK_MEM(g->reply, &number, sizeof number);
}

/* From the last to the first, and two by the ways of the others. */
static void each_by_id(struct site *s)
{
	const struct brood_result *none = (void *)s;
	struct given *g[8];

	for (int i = 0; i < 8; i++)
		g[i] = GIVE(s, numbers, .number = i);
	for (int i = 7; i >= 0; i--) {
		if (i == 5 || i == 2)
			continue;
		check_number(finish_by_id(g[i]), i);
		CHECK_EQ(brood_wait_id(g[i]->queue, g[i]->id, 0, &none), -ENOENT);
	}
	CHECK_EQ(brood_queue_out(g[0]->queue), 2);
	check_number(finish(g[2]), 2);
	check_number(finish(g[5]), 5);
	CHECK_EQ(brood_wait_id(g[0]->queue, g[5]->id, 0, &none), -ENOENT);
	CHECK_EQ(brood_queue_wait(g[0]->queue, PATIENCE), 0);
	CHECK(none == (void *)s);
	site_well(s);
}
CASE(each_by_id, SUBMITS)

static void no_such_job(struct site *s)
{
	const struct brood_result *result = NULL;
	struct brood_queue *other;
	struct given *g = GIVE(s, numbers, .number = 3);

	CHECK_EQ(brood_queue_new(s->brood, NULL, &other), 0);
	CHECK_EQ(brood_wait_id(other, g->id, PATIENCE, &result), -ENOENT);
	CHECK_CONTAINS(brood_error(), "was not submitted to this queue");
	CHECK_EQ(brood_wait_id(g->queue, 0, PATIENCE, &result), -ENOENT);
	CHECK_EQ(brood_wait_id(g->queue, NOBODY, PATIENCE, &result), -ENOENT);
	CHECK_EQ(brood_wait_id(g->queue, g->id, 0, NULL), -EINVAL);
	CHECK_EQ(brood_wait_id(NULL, g->id, 0, &result), -EINVAL);
	CHECK(!result);
	check_number(finish(g), 3);
	CHECK(!brood_queue_free(other));
}
CASE(no_such_job, SUBMITS | ALONE)

/* The time is up: the result comes as if nobody had waited. */
static void too_early(struct site *s)
{
	const struct brood_result *result = NULL;
	struct given *g[2];

	for (int i = 0; i < 2; i++)
		g[i] = GIVE(s, job_gated, .number = i);
	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(brood_wait_id(g[i]->queue, g[i]->id, 0, &result), -ETIMEDOUT);
		CHECK_EQ(brood_wait_id(g[i]->queue, g[i]->id, 20, &result), -ETIMEDOUT);
	}
	CHECK(!result);
	stage_open(s);
	expect(finish_by_id(g[1]), BROOD_FAILED, BROOD_DETAIL_NONE);
	expect(finish(g[0]), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(too_early, SUBMITS)

/* Whatever the verdict is, it is a result. */
static void all_ends(struct site *s)
{
	struct given *g = GIVE(s, job_raises, .number = SIGSEGV);

	expect(finish_by_id(g), BROOD_CRASHED, BROOD_DETAIL_NONE);
	g = GIVE(s, job_sleep_forever, .options = { .run_ms = 50, .grace_ms = 10 });
	expect(finish_by_id(g), BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	g = GIVE(s, job_sleep_forever, .options = { .run_ms = BROOD_FOREVER, .grace_ms = 10 });
	CHECK_EQ(brood_cancel(s->brood, g->id), 0);
	expect(finish_by_id(g), BROOD_CANCELLED, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(all_ends, SUBMITS)

static int dies_once(struct brood_job *job)
{
	if (brood_job_attempt(job) == 1)
		raise(SIGKILL);
	return numbers(job);
}

/* Each attempt by handoff has an id of its own on the wire: the program's stays. */
static void through_a_retry(struct site *s)
{
	struct given *g = GIVE(s, dies_once, .number = 4, .options = { .retries = 1 });

	check_number(finish_by_id(g), 4);
	CHECK_EQ(g->v.attempts, 2);
}
CASE(through_a_retry, SUBMITS &ANY_WORKER)

/* ---- many threads on one queue ---- */

struct waiter {
	struct given *given;
	atomic_bool waits, over;
};

static void *waits(void *context)
{
	struct waiter *w = context;

	atomic_store(&w->waits, true);
	finish_by_id(w->given);
	atomic_store(&w->over, true);
	return NULL;
}

static bool is_busy(const struct waiter *w)
{
	const struct brood_result *result;

	return atomic_load(&w->waits) &&
		brood_wait_id(w->given->queue, w->given->id, 0, &result) == -EBUSY;
}

/* A thread waits for one job; what others see of the queue has nothing to do with it. */
static void beside_others(struct site *s)
{
	struct waiter w = { .given = GIVE(s, job_gated, .number = 9) };
	struct given *other;
	pthread_t thread;

	CHECK(stage_entered(s, 1));
	CHECK_EQ(pthread_create(&thread, NULL, waits, &w), 0);
	CHECK(WAIT_UNTIL(is_busy(&w), 20000));
	if (!site_is(s, PINNED)) { /* there the worker is not free */
		other = GIVE(s, numbers, .number = 6);
		check_number(finish(other), 6);
	}
	CHECK_EQ(brood_queue_out(w.given->queue), 1);
	CHECK_EQ(brood_queue_wait(w.given->queue, 10), -ETIMEDOUT);
	CHECK(!atomic_load(&w.over));
	stage_open(s);
	CHECK_EQ(brood_queue_wait(w.given->queue, PATIENCE), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(w.given->v.code, 9);
	CHECK_EQ(atomic_load(&w.given->results), 1);
	site_well(s);
}
CASE(beside_others, SUBMITS | ALONE)

struct crowd {
	struct site *site;
	struct brood_queue *queue;
	struct brood_job_options options;
	pthread_barrier_t *barrier;
	long number;
};

static int doubles(struct brood_job *job)
{
	long number = *(const long *)brood_job_request(job, NULL) * 2;

	return brood_job_reply(job, &number, sizeof number) == sizeof number ? 0 : 1;
}

/* What a thread took is valid while the others take theirs. */
static void *member(void *context)
{
	struct crowd *c = context;
	const struct brood_result *result;
	uint64_t id;

	for (int i = 0; i < 100; i++) {
		long number = c->number + i;

		CHECK_EQ(brood_submit(
				 c->site->brood, doubles, &number, sizeof number, &c->options, &id),
			0);
		CHECK_EQ(brood_wait_id(c->queue, id, PATIENCE, &result), 0);
		pthread_barrier_wait(c->barrier);
		CHECK_EQ(result->verdict.id, id);
		CHECK_EQ(result->reply_size, sizeof number);
		number *= 2;
		CHECK_MEM(result->reply, &number, sizeof number);
	}
	return NULL;
}

static void crowd(struct site *s)
{
	struct given *g = RUN(s, numbers); /* the site's queue and options */
	struct crowd members[6];
	pthread_t threads[6];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, 6);
	for (int i = 0; i < 6; i++) {
		members[i] = (struct crowd){ .site = s,
			.queue = g->queue,
			.options = g->what.options,
			.barrier = &barrier,
			.number = i * 1000 };
		CHECK_EQ(pthread_create(&threads[i], NULL, member, &members[i]), 0);
	}
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(brood_queue_out(g->queue), 0);
}
CASE(crowd, SUBMITS | ALONE)

/* ---- callbacks ---- */

static int says_progress(struct brood_job *job)
{
	while (brood_job_progress(job, "half", 4) == -EAGAIN)
		;
	return numbers(job);
}

static void told(void *context, uint64_t id, const void *data, size_t size)
{
	struct given *g = context;

	CHECK(id && size == 4);
	CHECK_MEM(data, "half", 4);
	CHECK_EQ(atomic_load(&g->over), 0);
	atomic_fetch_add(&g->site->stage->values[0], 1);
}

static void tells_progress(struct site *s)
{
	struct given *g = GIVE(s, says_progress, .number = 8, .options = { .on_progress = told });

	check_number(finish_by_id(g), 8);
	CHECK_EQ(atomic_load(&s->stage->values[0]), 1);
}
CASE(tells_progress, SUBMITS)

/* A job with a callback: a wait for it is in place of the callback, other callbacks are made. */
struct calls {
	struct given *waits_for;
	atomic_int count;
};

static void called(void *context, const struct brood_result *result)
{
	struct calls *c = context;

	CHECK_EQ(result->verdict.code, 5);
	stage_open(c->waits_for->site);
	CHECK_EQ(finish_by_id(c->waits_for)->v.code, 2);
	atomic_fetch_add(&c->count, 1);
}

static void callbacks(struct site *s)
{
	struct given *first = GIVE(s, numbers, .number = 1);
	struct brood_job_options options;
	struct calls calls = { 0 };

	check_number(finish_by_id(first), 1);
	options = first->what.options;
	options.on_done = called;
	options.context = &calls;
	first->said.number = 5;
	CHECK_EQ(brood_submit(s->brood, job_code, NULL, 0, &options, NULL), 0);
	calls.waits_for = GIVE(s, job_gated, .number = 2);
	while (!atomic_load(&calls.count))
		CHECK_GE(brood_queue_wait(first->queue, PATIENCE), 1);
	CHECK_EQ(atomic_load(&calls.waits_for->results), 1);
	CHECK_EQ(brood_queue_wait(first->queue, PATIENCE), 0);
}
CASE(callbacks, WAY(HANDOFF_SUBMIT) | WAY(RING_CALLBACK) | WAY(RING_PINNED_SUBMIT))

/* ---- the end ---- */

/* What has come by the time of the stop can be taken after it, by id, too. */
static void after_the_stop(struct site *s)
{
	const struct brood_result *result;
	struct given *g[3];

	for (int i = 0; i < 3; i++)
		g[i] = GIVE(s, numbers, .number = i);
	CHECK_EQ(brood_stop(s->brood), 0);
	s->stopped = true;
	for (int i = 2; i >= 0; i--)
		check_number(finish_by_id(g[i]), i);
	CHECK_EQ(brood_wait_id(g[0]->queue, NOBODY, PATIENCE, &result), -ENOENT);
}
CASE(after_the_stop, (SUBMITS & ANY_WORKER) | FRESH)
