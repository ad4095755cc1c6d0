/* SPDX-License-Identifier: MIT */
/*
 * conformance_cancel.c - cancel on every path: by another thread, in the queue, in front of other
 * jobs, at any moment.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(conformance, .timeout = 1000);

#define NEVER                                           \
	{                                               \
		.run_ms = BROOD_FOREVER, .grace_ms = 30 \
	}

/* ---- cancel ---- */

struct wish {
	struct site *site;
	struct given *given;
};
static void *cancels(void *context)
{
	struct wish *wish = context;

	CHECK(stage_entered(wish->site, 1));
	CHECK_EQ(brood_cancel(wish->site->brood, given_id(wish->given)), 0);
	return NULL;
}

static int enters_and_hangs(struct brood_job *job)
{
	atomic_fetch_add(&said(job)->stage->entered, 1);
	return job_sleep_forever(job);
}

static void cancelled_by_a_thread(struct site *s)
{
	struct wish wish = { s, GIVE(s, enters_and_hangs, .options = NEVER) };
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, cancels, &wish), 0);
	expect(wish.given, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK(wish.given->v.started);
	pthread_join(thread, NULL);
	site_well(s);
}
CASE(cancelled_by_a_thread, EVERYWHERE)

/*
 * Queued jobs are cancelled at once, while the job in front of them runs on. The others are not
 * touched.
 */
static void cancelled_in_the_queue(struct site *s)
{
	struct given *first = GIVE(s, job_gated), *g[6];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 6; i++) {
		g[i] = GIVE(s, job_orders, .number = i);
		given_id(g[i]);
	}
	for (int i = 0; i < 6; i += 2)
		CHECK_EQ(brood_cancel(s->brood, g[i]->id), 0);
	for (int i = 0; i < 6; i += 2) {
		expect(g[i], BROOD_CANCELLED, BROOD_DETAIL_NONE);
		CHECK_EQ(g[i]->v.started, 0);
		CHECK_EQ(g[i]->v.pid, 0);
		CHECK_EQ(brood_cancel(s->brood, g[i]->id), -ENOENT);
	}
	CHECK_EQ(atomic_load(&s->stage->left), 0); /* it still runs */
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 1; i < 6; i += 2)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->ordered), 3);
	CHECK_EQ(brood_cancel(s->brood, first->id), -ENOENT);
	CHECK_EQ(pool_stats(s->brood).died, 0);
}
CASE(cancelled_in_the_queue, EVERYWHERE | ALONE, .workers = 1)

/*
 * Cancels the running job while others wait behind it: these go on, in order, on another worker.
 * Not on a pinned lease, which is over then.
 */
static void cancelled_before_others(struct site *s)
{
	struct given *first = GIVE(s, enters_and_hangs, .options = NEVER), *g[6];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 6; i++) {
		g[i] = GIVE(s, job_orders, .number = i);
		given_id(g[i]);
	}
	CHECK_EQ(brood_cancel(s->brood, given_id(first)), 0);
	expect(first, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK(first->v.started);
	for (int i = 0; i < 6; i++) {
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_NE(g[i]->v.pid, first->v.pid);
	}
	/* calls are made by threads of their own, so they have no order */
	for (int i = 0; i < 6 && !site_is(s, CALLS); i++)
		CHECK_EQ(atomic_load(&s->stage->order[i]), i);
}
CASE(cancelled_before_others, ANY_WORKER | ALONE, .workers = 1)

/*
 * A job is cancelled many times, at any moment of its life: it has one verdict, and the verdict is
 * true.
 */
static void cancelled_at_any_moment(struct site *s)
{
	for (unsigned i = 0; i < 60; i++) {
		struct given *g = GIVE(s, job_code, .number = 0, .options = { .grace_ms = 20 });
		uint64_t id = given_id(g), end = test_now_ms() + i % 3;
		int r;

		while (i % 4 && test_now_ms() < end)
			;
		r = brood_cancel(s->brood, id);
		CHECK(r == 0 || r == -ENOENT);
		r = brood_cancel(s->brood, id);
		CHECK(r == 0 || r == -ENOENT);
		finish(g);
		expect(g, g->v.outcome == BROOD_CANCELLED ? BROOD_CANCELLED : BROOD_DONE,
			BROOD_DETAIL_NONE);
		CHECK_EQ(brood_cancel(s->brood, id), -ENOENT);
	}
	site_well(s);
}
CASE(cancelled_at_any_moment, EVERYWHERE)

/* A SIGTERM from anybody else does not end a job. */
static void terms_from_others(struct site *s)
{
	struct given *g = GIVE(s, job_gated);
	pid_t workers[16];
	int n;

	CHECK(stage_entered(s, 1));
	n = proc_workers(proc_supervisor(), workers, 16);
	CHECK_GE(n, 1);
	for (int i = 0; i < n; i++)
		for (int sig = 1; sig <= SIGTERM; sig++)
			if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT)
				CHECK_EQ(kill(workers[i], sig), 0);
	stage_open(s);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(pool_stats(s->brood).died, 0);
}
CASE(terms_from_others, EVERYWHERE | ALONE)

/* ---- all jobs of a queue ---- */

/*
 * The job that runs takes the soft step; the others have their verdicts at once. A job that was
 * submitted afterwards, or to another queue, is not touched.
 */
static void cancelled_with_its_queue(struct site *s)
{
	struct given *first = GIVE(s, enters_and_hangs, .options = NEVER), *g[20], *later;
	const struct brood_job_options *o = &first->what.options;
	struct brood_job_options elsewhere = { .size = sizeof elsewhere, .dispatch = o->dispatch };
	const struct brood_result *result;
	uint64_t id;

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 20; i++)
		g[i] = GIVE(s, job_orders, .number = i);
	CHECK_EQ(brood_queue_new(s->brood, NULL, &elsewhere.queue), 0);
	CHECK_EQ(brood_submit(s->brood, job_nothing, NULL, 0, &elsewhere, &id), 0);
	CHECK_EQ(brood_queue_cancel(first->queue), 21);
	CHECK_EQ(brood_queue_out(first->queue), 21);
	later = GIVE(s, job_orders, .number = 20, .refusable = true);
	expect(first, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK(first->v.started);
	for (int i = 0; i < 20; i++) {
		expect(g[i], BROOD_CANCELLED, BROOD_DETAIL_NONE);
		CHECK_EQ(g[i]->v.started, 0);
		CHECK_EQ(atomic_load(&g[i]->results), 1);
	}
	if (!site_is(s, PINNED)) /* that lease is over, and the job behind it refused */
		expect(later, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->ordered), site_is(s, PINNED) ? 0 : 1);
	CHECK_EQ(brood_wait_id(elsewhere.queue, id, (uint32_t)test_scaled(20000), &result), 0);
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	CHECK(!brood_queue_free(elsewhere.queue));
	site_well(s);
}
CASE(cancelled_with_its_queue, SUBMITS | ALONE, .workers = 1)

/* None is out: nothing happens. Calls and conversations are nobody's queue's. */
static void queue_without_jobs(struct site *s)
{
	struct brood_queue *own = brood_own_queue(s->brood);
	struct given *g = GIVE(s, job_gated);

	CHECK(stage_entered(s, 1));
	CHECK_EQ(brood_queue_cancel(own), 0);
	if (site_is(s, PINNED))
		CHECK_EQ(brood_queue_cancel(brood_lease_queue(s->lease)), 0);
	CHECK_EQ(brood_queue_cancel(NULL), -EINVAL);
	stage_open(s);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(queue_without_jobs, (CALLS | STREAMS) | ALONE)

/* Other threads submit and take meanwhile: each job has its one result. */
struct storm {
	struct brood_queue *queue;
	atomic_bool over;
};
static void *cancels_again_and_again(void *context)
{
	struct storm *storm = context;

	for (unsigned round = 0; !atomic_load(&storm->over); round++) {
		CHECK_GE(brood_queue_cancel(storm->queue), 0);
		test_pause(round);
	}
	return NULL;
}

static void cancelled_while_others_submit(struct site *s)
{
	struct storm storm = { .queue = RUN(s, job_code)->queue };
	unsigned done = 0, cancelled = 0;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, cancels_again_and_again, &storm), 0);
	for (int i = 0; i < 100; i++) {
		struct given *g = finish(GIVE(s, job_code, .options = { .grace_ms = 20 }));

		CHECK_MSG(g->v.outcome == BROOD_DONE || g->v.outcome == BROOD_CANCELLED, "%s: %s",
			way_names[s->way], brood_outcome_name(g->v.outcome));
		CHECK_EQ(atomic_load(&g->results), 1);
		done += g->v.outcome == BROOD_DONE;
		cancelled += g->v.outcome == BROOD_CANCELLED;
	}
	atomic_store(&storm.over, true);
	pthread_join(thread, NULL);
	CHECK_EQ(done + cancelled, 100);
	site_well(s);
}
CASE(cancelled_while_others_submit, SUBMITS &ANY_WORKER)
