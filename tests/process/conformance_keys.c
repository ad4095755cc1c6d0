/* SPDX-License-Identifier: MIT */
/*
 * conformance_keys.c - jobs with a key prefer the worker that had it last, on every path: if it is
 * free, and never so that a job waits for it.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* Calls on leases are each thread's own, and a pinned lease has one worker. */
#define SHARED_WORKERS (HANDOFF | WAY(SIDE_OPEN) | WAY(SIDE_GIVE) | WAY(RING_SUBMIT))

#define KEY   UINT64_C(0x8000000000000001)
#define OTHER 2

/* Stores the pid of its worker under its number. */
static int job_where(struct brood_job *job)
{
	const struct said *s = said(job);

	atomic_store(&s->stage->values[s->number], (unsigned long long)getpid());
	return 0;
}

static int job_where_gated(struct brood_job *job)
{
	job_where(job);
	return job_gated(job) < 0;
}

static pid_t where(const struct site *s, long number)
{
	return (pid_t)atomic_load(&s->stage->values[number]);
}

static pid_t run_where(struct site *s, uint64_t key, long number)
{
	struct given *g = RUN(s, job_where, .number = number, .options.key = key);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GT(where(s, number), 0);
	return where(s, number);
}

/* Two workers are busy at once: the first has KEY from then on, the second OTHER. */
static void two_keys(struct site *s, pid_t *ret_first, pid_t *ret_second)
{
	struct given *a, *b;

	a = GIVE(s, job_where_gated, .number = 0, .options.key = KEY);
	CHECK(stage_entered(s, 1));
	b = GIVE(s, job_where_gated, .number = 1, .options.key = OTHER);
	CHECK(stage_entered(s, 2));
	stage_open(s);
	finish(a);
	finish(b);
	*ret_first = where(s, 0);
	*ret_second = where(s, 1);
	CHECK_NE(*ret_first, *ret_second);
}

/* Whichever worker had the last job: a job goes to that of its key. */
static void to_the_same_worker(struct site *s)
{
	pid_t first, second;

	two_keys(s, &first, &second);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(run_where(s, KEY, 2), first);
		CHECK_EQ(run_where(s, OTHER, 3), second);
		CHECK_EQ(run_where(s, OTHER, 3), second);
		CHECK_EQ(run_where(s, KEY, 2), first);
	}
}
CASE(to_the_same_worker, SHARED_WORKERS | ALONE, .workers = 4, .lease_idle_ms = 60000)

/* The worker of the key is busy for long: another one does the job, and has the key now. */
static void not_for_the_busy_one(struct site *s)
{
	pid_t first, second, now;
	struct given *g;

	two_keys(s, &first, &second);
	atomic_store(&s->stage->gate, 0);
	g = GIVE(s, job_where_gated, .number = 4, .options.key = KEY);
	CHECK(stage_entered(s, 3));
	CHECK_EQ(where(s, 4), first);
	now = run_where(s, KEY, 5);
	CHECK_NE(now, first);
	stage_open(s);
	finish(g);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(run_where(s, KEY, 6), now);
}
CASE(not_for_the_busy_one, SHARED_WORKERS | ALONE, .workers = 4, .lease_idle_ms = 60000)

/* Its worker is dead: any worker does. */
static void not_for_the_dead_one(struct site *s)
{
	pid_t first, second, now;
	struct given *g;

	two_keys(s, &first, &second);
	g = RUN(s, job_raises, .number = SIGKILL, .options.key = KEY);
	CHECK_EQ(g->v.pid, first);
	now = run_where(s, KEY, 5);
	CHECK_NE(now, first);
	CHECK_EQ(run_where(s, KEY, 5), now);
	CHECK_EQ(run_where(s, OTHER, 6), second);
}
CASE(not_for_the_dead_one, SHARED_WORKERS | ALONE, .workers = 4, .lease_idle_ms = 60000)

#define ENDED 20 /* the value that has the time at which the last such job ended */

static long long us_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Works for as many microseconds as its number says. */
static int job_works(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;
	long long until = us_now() + said(job)->number;

	while (us_now() < until)
		;
	atomic_store(&stage->values[ENDED], (unsigned long long)us_now());
	return 0;
}

/*
 * True: the worker of the key took the second job when it had ended the first, and had long enough
 * to do for a supervisor that does not wait to have chosen another one.
 */
static bool waited(struct site *s)
{
	bool handoff = site_is(s, HANDOFF);
	struct given *first = GIVE(s, job_works, .number = handoff ? 700 : 150, .options.key = KEY),
		     *second = GIVE(s, job_works, .options.key = KEY);
	long long given = us_now(), ended;

	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	ended = (long long)atomic_load(&s->stage->values[ENDED]);
	expect(second, BROOD_DONE, BROOD_DETAIL_NONE);
	return first->v.pid == second->v.pid && (!handoff || ended - given > 400);
}

/*
 * A job waits for the worker of its key while that has a short one, though others are idle. On a
 * busy machine a short one may take long.
 */
static void for_one_soon_free(struct site *s)
{
	int times = 0;

	for (int i = 0; i < 400 && times < 5; i++)
		times += waited(s);
	CHECK_GE(times, 5);
}
CASE(for_one_soon_free, WAY(HANDOFF_SUBMIT) | WAY(RING_SUBMIT) | ALONE, .workers = 4,
	.lease_idle_ms = 60000)

/* Many keys, more than the table has; and one worker alone. */
static void any_key(struct site *s)
{
	for (uint64_t key = 1; key <= 300; key++)
		expect(RUN(s, job_code, .options.key = key << (key % 50)), BROOD_DONE,
			BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(any_key, EVERYWHERE | ALONE, .workers = 1)

/* Threads with the same keys, and more jobs than workers. */
static void keys_in_a_crowd(struct site *s)
{
	struct given *g[40];

	for (unsigned i = 0; i < 40; i++)
		g[i] = GIVE(s, job_code, .options.key = 1 + i % 7);
	for (unsigned i = 0; i < 40; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(keys_in_a_crowd, EVERYWHERE, .workers = 3)
