/* SPDX-License-Identifier: MIT */
/*
 * births.c - a worker's birth and its first moments: when a pool counts as ready, what a death soon
 * after READY means for the pool, when a worker counts as healthy, and what a new worker finds of
 * the former one in its place.
 */
#include "../helpers/pool.h"
#include "../helpers/stage.h"
#include "../../src/os/fds.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <signal.h>

TestSuite(births, .timeout = 120);

/* ---- the pool is ready: each place has had a ready worker ---- */

struct order {
	sem_t second, third;
	atomic_int count;
	_Atomic pid_t first;
};
static struct order *order(void) { return case_shared(); }

/* The first worker is ready at once, the others when the test says so. */
static int in_order(void *context)
{
	int n = atomic_fetch_add(&order()->count, 1) + 1;

	(void)context;
	if (n == 1)
		atomic_store(&order()->first, getpid());
	else
		while (sem_wait(n == 2 ? &order()->second : &order()->third) < 0)
			;
	return 0;
}

static void never_all_at_once(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 2, .worker_init = in_order, .log = note_log
	};
	struct brood *brood;

	sem_init(&order()->second, 1, 0);
	sem_init(&order()->third, 1, 0);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 1, 10000));
	CHECK_EQ(brood_wait_ready(brood, 0), -ETIMEDOUT);
	/* the second one has its number: else the one that is born for the first would take it */
	CHECK(WAIT_UNTIL(atomic_load(&order()->count) == 2, 10000));
	kill(atomic_load(&order()->first), SIGKILL);
	CHECK(WAIT_UNTIL(atomic_load(&order()->count) == 3, 10000));
	sem_post(&order()->second);
	CHECK_EQ(brood_wait_ready(brood, (uint32_t)test_scaled(10000)), 0);
	CHECK_EQ(pool_stats(brood).ready, 1);
	sem_post(&order()->third);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
}
Test(births, ready_when_each_place_was) { case_run(never_all_at_once, 40000); }

/* ---- workers that die soon after they were ready ---- */

static struct stage s;

static void weak_stage(uint32_t workers, uint32_t start_limit, uint32_t healthy_ms)
{
	stage_init(&s, workers);
	s.options.start_limit = start_limit;
	s.options.healthy_ms = healthy_ms;
	s.options.backoff_min_ms = s.options.backoff_max_ms = 10;
	stage_start(&s);
}

static bool is_degraded(void) { return atomic_load(&s.shared.stats_page->degraded) != 0; }

static void hear_line(enum brood_event event, const char *part)
{
	struct frame f;

	do
		stage_hear(s.log, &f, MESSAGE_LOG);
	while (f.log.event != (uint32_t)event);
	CHECK_CONTAINS(f.log.text, part);
}

/*
 * The second worker that dies makes the pool degraded, while the place of the first is being
 * filled. The job that waits is refused at once, and not at the next death.
 */
static void degraded_after_ready(void)
{
	struct message_granted granted;
	struct stage_worker *lent;
	bool refused = false, told = false;
	uint64_t lease, job;
	struct frame f;

	weak_stage(2, 2, 60000);
	lease = stage_ask(&s, LEASE_PINNED);
	lent = stage_granted(&s, lease, &granted);
	stage_die(&s.workers[1 - lent->slot], SIGSEGV);
	stage_birth(&s);
	job = stage_job(&s);
	STATS_PAGE(&s, 0, 1, 1, 1);
	stage_die(lent, SIGSEGV);
	while (!refused || !told) {
		CHECK_EQ(frame_receive(s.channel, &f, 0), 1);
		told = told || f.header.type == MESSAGE_POOL_DEGRADED;
		if (f.header.type == MESSAGE_VERDICT) {
			CHECK_EQ(f.verdict.verdict.id, job);
			CHECK_EQ(f.verdict.verdict.detail, BROOD_DETAIL_DEGRADED);
			refused = true;
		}
		frame_done(&f);
	}
	hear_line(BROOD_EVENT_DEGRADED, "2 workers in a row died at birth; jobs are refused");
	stage_birth(&s);
	stage_end(&s);
}
Test(births, degraded_by_deaths_after_ready) { case_run(degraded_after_ready, 30000); }

/* ---- a worker that lives for healthy_ms ends the degraded state, whatever it does ---- */

#define HEALTHY_MS 300 /* a job or a lease begins within */

static struct stage_worker *degrade_and_ready(void)
{
	weak_stage(1, 1, HEALTHY_MS);
	stage_die(&s.workers[0], SIGSEGV);
	CHECK(WAIT_UNTIL(is_degraded(), STAGE_MS));
	return stage_reborn(&s);
}

static bool recovers(void) { return WAIT_UNTIL(!is_degraded(), STAGE_MS); }

static void healthy_at_a_job(void)
{
	struct stage_worker *w = degrade_and_ready();
	uint64_t id;

	STATS_PAGE(&s, 1, 0, 0, 0);
	id = stage_job(&s);
	(void)stage_run(w, id);
	CHECK(recovers());
	hear_line(BROOD_EVENT_RECOVERED, "workers stay alive again");
	stage_end(&s);
}

static void healthy_after_a_lease(void)
{
	struct stage_worker *w = degrade_and_ready();
	struct message_granted granted;
	struct frame f;
	uint64_t id;

	STATS_PAGE(&s, 1, 0, 0, 0);
	id = stage_ask(&s, LEASE_PINNED);
	stage_hear(s.channel, &f, MESSAGE_POOL_DEGRADED);
	CHECK(stage_granted(&s, id, &granted) == w);
	stage_about(&s, MESSAGE_LEASE_END, id);
	stage_leave(w, id);
	stage_left(w, id, granted.sequence, 0);
	(void)stage_over(&s, id, LEASE_RETURNED);
	CHECK(recovers());
	stage_end(&s);
}
Test(births, healthy_while_it_has_a_job) { case_run(healthy_at_a_job, 20000); }
Test(births, healthy_after_a_lease_without_a_job) { case_run(healthy_after_a_lease, 20000); }

/* ---- what a former worker wrote ---- */

static void former(void)
{
	struct message_run run;
	struct slot_page *page;
	uint64_t id;

	stage_init(&s, 1);
	stage_start(&s);
	page = stage_slot_page(&s, &s.workers[0]);
	atomic_store(&page->soft, atomic_load(&page->word) / 8 + 2); /* of the next worker's job */
	atomic_store(&page->soft_cause, BROOD_TOLD_CANCEL);
	atomic_store(&page->noticed, UINT64_MAX);
	atomic_store(&page->began_ns, UINT64_MAX);
	atomic_store(&page->attention, 1);
	atomic_store(&page->asleep, 1);
	stage_die(&s.workers[0], SIGKILL);
	stage_reborn(&s);
	CHECK_EQ(atomic_load(&page->soft), 0);
	CHECK_EQ(atomic_load(&page->soft_cause), 0);
	CHECK_EQ(atomic_load(&page->noticed), 0);
	CHECK_EQ(atomic_load(&page->began_ns), 0);
	CHECK_EQ(atomic_load(&page->attention), 0);
	CHECK_EQ(atomic_load(&page->asleep), 0);
	id = stage_job(&s);
	run = stage_run(&s.workers[0], id);
	stage_finish(&s, &s.workers[0], &run);
	(void)stage_verdict(&s, id);
	stage_end(&s);
}
Test(births, nothing_of_the_former_worker) { case_run(former, 20000); }

/* ---- whom Brood killed ---- */

static int never(void *context)
{
	(void)context;
	while (pause() < 0)
		;
	return 0;
}

static void kills_at_birth(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 1,
		.worker_init = never,
		.init_ms = 50,
		.log = note_log };
	struct brood *brood;

	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).died >= 1, 10000));
	CHECK_GE(pool_stats(brood).killed, 1);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(pool_stats(brood).killed, pool_stats(brood).died);
}
Test(births, a_kill_at_birth_counts) { case_run(kills_at_birth, 20000); }

/* ---- the number of a helper that closes files, when somebody else has it ---- */

/* A child that the engine leaves behind. It says that it has outlived the supervisor, too. */
static void __attribute__((noreturn)) outlives(pid_t engine, pid_t supervisor)
{
	fds_close_all_but(NULL, 0);
	CHECK(WAIT_UNTIL(getppid() != engine && getppid() != supervisor, STAGE_MS));
	atomic_fetch_add((atomic_int *)case_shared() + 1000, 1);
	_exit(0);
}

static void stale_number(void)
{
	pid_t engine, supervisor, child;

	stage_init(&s, 1);
	stage_start(&s);
	engine = getpid();
	supervisor = getppid();
	child = fork();
	if (child == 0)
		outlives(engine, supervisor);
	atomic_store(&s.shared.tally->closers[1][0], child);
	stage_end(&s);
}

Test(births, another_one_with_the_number_of_a_helper)
{
	struct case_options options = { .body = stale_number, .timeout_ms = 20000 };
	struct case_result r;

	case_try(&options, &r);
	cr_assert(!r.expired && r.status == 0 && r.left == 0 && r.failures == 0, "%s", r.text);
	cr_assert_eq(atomic_load((atomic_int *)case_shared() + 1000), 1);
}
