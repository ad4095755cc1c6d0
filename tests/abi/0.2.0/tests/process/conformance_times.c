/* conformance_times.c - deadlines and cancel on every path: the soft step, the kill, an engine that does nothing meanwhile; what has not begun, what is over. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define SOFT  { .run_ms = 50, .grace_ms = BROOD_FOREVER }
#define NEVER { .run_ms = BROOD_FOREVER, .grace_ms = 30 }

/* Jobs that shall run out of time say that they are in. On a machine that is slow enough they may not come so far: then once more, with twice the time. */
static void enter(struct brood_job *job) { atomic_fetch_add(&said(job)->stage->entered, 1); }

static struct given *run_short(struct site *s, struct what what)
{
	for (uint32_t ms = 50;; ms *= 2) {
		unsigned before = atomic_load(&s->stage->entered);
		struct given *g;

		CHECK(ms < 60000);
		what.options.run_ms = ms;
		what.options.grace_ms = ms / 2;
		g = finish(give(s, &what));
		if (atomic_load(&s->stage->entered) != before)
			return g;
		CHECK_NE(g->v.outcome, BROOD_DONE);
	}
}
#define RUN_SHORT(s, job, ...) run_short(s, (struct what){ .fn = job, .name = #job, ##__VA_ARGS__ })

/* ---- the soft step, seen in each way ---- */

static int spins_until_cancelled(struct brood_job *job)
{
	while (!brood_job_cancelled(job))
		;
	return brood_job_time_left_ms(job) == 0 ? 42 : 1;
}
static int polls_until_cancelled(struct brood_job *job)
{
	struct pollfd p = { .fd = brood_job_cancel_fd(job), .events = POLLIN };

	if (p.fd < 0)
		return 1;
	while (poll(&p, 1, -1) < 0)
		;
	return brood_job_cancelled(job) ? 42 : 2;
}
static int waits_for_its_time(struct brood_job *job)
{
	while (brood_job_time_left_ms(job) > 0)
		usleep(1000);
	return 42;
}
static void *polls(void *job)
{
	return (void *)(intptr_t)polls_until_cancelled(job);
}
static int polls_in_a_thread(struct brood_job *job)
{
	pthread_t thread;
	void *code = NULL;

	return pthread_create(&thread, NULL, polls, job) || pthread_join(thread, &code) ? 1 : (int)(intptr_t)code;
}
/* Asked for after the step, it is readable at once. */
static int asks_late(struct brood_job *job)
{
	struct pollfd p = { .events = POLLIN };

	while (!brood_job_cancelled(job))
		usleep(1000);
	p.fd = brood_job_cancel_fd(job);
	return poll(&p, 1, 0) == 1 ? 42 : 1;
}

static void heeded(struct site *s)
{
	static const struct { brood_fn *fn; const char *name; } list[] = {
		{ spins_until_cancelled, "spins_until_cancelled" }, { polls_until_cancelled, "polls_until_cancelled" }, { waits_for_its_time, "waits_for_its_time" },
		{ polls_in_a_thread, "polls_in_a_thread" }, { asks_late, "asks_late" }, { job_until_cancelled, "job_until_cancelled" },
	};

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct given *g = finish(give(s, &(struct what){ .fn = list[i].fn, .name = list[i].name, .options = SOFT }));

		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, 42);
		CHECK_GE(g->elapsed_us, 49000);
		CHECK_EQ(g->v.left, 0);
	}
	for (int i = 0; i < 3; i++) {              /* by a cancel, which is the same for the job but for its time */
		struct given *g = GIVE(s, polls_until_cancelled, .options = { .run_ms = BROOD_FOREVER, .grace_ms = BROOD_FOREVER });

		CHECK_EQ(brood_cancel(s->brood, given_id(g)), 0);
		finish(g);
		if (g->v.outcome == BROOD_CANCELLED)   /* it had not begun */
			CHECK_EQ(g->v.started, 0);
		else
			CHECK_EQ(g->v.code, 42);
	}
	site_well(s);
}
CASE(heeded, EVERYWHERE)

/* ---- the kill ---- */

static int spins(struct brood_job *job)
{
	volatile int forever = 1;

	enter(job);
	while (forever)
		;
	return 0;
}
static int deafens_itself(struct brood_job *job)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGTERM, SIG_IGN);
	enter(job);
	return job_sleep_forever(job);
}
static int sleeps_for_ever(struct brood_job *job) { enter(job); return job_sleep_forever(job); }
static int stops_itself(struct brood_job *job) { enter(job); raise(SIGSTOP); return 0; }
/* Somebody else holds the CPU and the locks: threads that spin. */
static void *spins_too(void *job)
{
	while (job)
		;
	return NULL;
}
static int spins_in_threads(struct brood_job *job)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, spins_too, job) != 0)
			return 1;
	return spins(job);
}

static void timed_out(struct site *s)
{
	static const struct { brood_fn *fn; const char *name; } list[] = {
		{ spins, "spins" }, { sleeps_for_ever, "sleeps_for_ever" }, { deafens_itself, "deafens_itself" }, { stops_itself, "stops_itself" }, { spins_in_threads, "spins_in_threads" },
	};

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct given *g = run_short(s, (struct what){ .fn = list[i].fn, .name = list[i].name });

		expect(g, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.signal, SIGKILL);
		CHECK(g->v.started);
		CHECK_GE(g->v.run_us, 74000);
		CHECK_EQ(g->v.attempts, 1);
	}
	site_well(s);
}
CASE(timed_out, EVERYWHERE)

static int ignores_abort(struct brood_job *job) { signal(SIGABRT, SIG_IGN); enter(job); return job_sleep_forever(job); }
static void exits_4(int sig) { (void)sig; _exit(4); }
static int exits_on_abort(struct brood_job *job) { signal(SIGABRT, exits_4); enter(job); return job_sleep_forever(job); }

static void aborted(struct site *s)
{
	struct given *g = RUN_SHORT(s, spins, .options.flags = BROOD_JOB_ABORT);

	expect(g, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, SIGABRT);
	g = RUN_SHORT(s, exits_on_abort, .options.flags = BROOD_JOB_ABORT);
	expect(g, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, 0);
	g = RUN(s, polls_until_cancelled, .options = { .run_ms = 50, .grace_ms = BROOD_FOREVER, .flags = BROOD_JOB_ABORT });
	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 42);
	site_well(s);
}
CASE(aborted, EVERYWHERE)

static void abort_ignored(struct site *s)
{
	struct given *g = RUN_SHORT(s, ignores_abort, .options.flags = BROOD_JOB_ABORT);

	expect(g, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, SIGKILL);
	site_well(s);
}
CASE(abort_ignored, EVERYWHERE, .core_ms = 100)

/* Its time is nearly up, or is, and it ends by itself: that end is the verdict. */
static int ends_after_the_step(struct brood_job *job)
{
	while (!brood_job_cancelled(job))
		usleep(500);
	switch (said(job)->number) {
	case 0:
		return 0;
	case 1:
		_exit(3);
	case 2:
		pthread_exit(NULL);
	default:
		return raise((int)said(job)->number);
	}
}

static void ends_in_its_grace(struct site *s)
{
	expect(RUN(s, ends_after_the_step, .number = 0, .options = SOFT), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN(s, ends_after_the_step, .number = 1, .options = SOFT), BROOD_EXITED, BROOD_DETAIL_NONE);
	expect(RUN(s, ends_after_the_step, .number = 2, .options = SOFT), BROOD_CRASHED, BROOD_DETAIL_THREAD_EXIT);
	expect(RUN(s, ends_after_the_step, .number = SIGSEGV, .options = SOFT), BROOD_CRASHED, BROOD_DETAIL_NONE);
	expect(RUN(s, ends_after_the_step, .number = SIGKILL, .options = SOFT), BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	site_well(s);
}
CASE(ends_in_its_grace, EVERYWHERE)

/* A reply does not save it. */
static int replies_and_hangs(struct brood_job *job)
{
	if (brood_job_reply(job, "reply", 5) != 5)
		return 1;
	return sleeps_for_ever(job);
}
static void hangs_after_its_reply(struct site *s)
{
	expect(RUN_SHORT(s, replies_and_hangs), BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(hangs_after_its_reply, EVERYWHERE)

/* ---- whose time it is ---- */

/* A long deadline first, then a short one: the short one counts. The pool's own, where the job says nothing. */
static void later_and_sooner(struct site *s)
{
	struct given *g;

	expect(RUN(s, job_code, .options = { .run_ms = 500000 }), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN_SHORT(s, spins), BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	expect(RUN(s, job_code, .options = { .run_ms = BROOD_FOREVER }), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN_SHORT(s, sleeps_for_ever), BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	finish(g = GIVE(s, sleeps_for_ever));
	CHECK(g->v.outcome == BROOD_TIMED_OUT || g->v.detail == BROOD_DETAIL_LEASE_OVER);      /* too late for it to begin, perhaps */
	site_well(s);
}
CASE(later_and_sooner, EVERYWHERE, .run_ms = 60, .grace_ms = 20)

/* It counts from where the job itself can begin: what waits behind another has all of its own. */
static void behind_another(struct site *s)
{
	uint32_t ms = (uint32_t)test_scaled(2000);
	struct given *first = GIVE(s, job_gated), *second;

	CHECK(stage_entered(s, 1));
	second = GIVE(s, job_code, .options = { .run_ms = ms, .queue_ms = 60000 });
	given_id(second);
	usleep(ms * 1500);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	expect(second, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GE(second->v.queue_us, ms * 1000);
}
/* It takes its time: one call of each path, and those where it stands in a ring. */
CASE(behind_another, WAY(HANDOFF_OPEN) | WAY(LINK_OPEN) | WAY(RING_SUBMIT) | WAY(RING_KEPT_SUBMIT) | ALONE, .workers = 1)

/* Jobs that hang between jobs that do not: each gets its own. Not on an explicit lease: what is behind a dead worker is refused there (conformance_lease.c). */
static void some_hang(struct site *s)
{
	struct given *g[8];

	for (int i = 0; i < 8; i++)
		g[i] = i % 2 ? GIVE(s, job_code) : GIVE(s, job_sleep_forever, .options = { .run_ms = 50, .grace_ms = 30 });
	for (int i = 0; i < 8; i++)
		expect(g[i], i % 2 ? BROOD_DONE : BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(some_hang, ANY_WORKER, .workers = 2)

/* ---- the engine does nothing meanwhile ---- */

static int stores_and_spins(struct brood_job *job)
{
	atomic_store(&said(job)->stage->pid, getpid());
	return spins(job);
}

/* A process beside: stops the engine, sees the worker die, and lets the engine go on. */
static pid_t watcher(struct site *s)
{
	pid_t engine = getpid(), pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	if (WAIT_UNTIL(atomic_load(&s->stage->pid) != 0, 20000)) {
		kill(engine, SIGSTOP);
		atomic_store(&s->stage->values[1], (unsigned long long)WAIT_UNTIL(proc_state(engine) == 'T', 10000));
		atomic_store(&s->stage->values[0], (unsigned long long)WAIT_UNTIL(!proc_alive(atomic_load(&s->stage->pid)), 20000));
		kill(engine, SIGCONT);
	}
	_exit(0);
}

static void engine_stopped(struct site *s)
{
	struct given *g;
	pid_t pid;

	atomic_store(&s->stage->values[0], 0);
	pid = watcher(s);
	g = GIVE(s, stores_and_spins, .options = { .run_ms = 1000, .grace_ms = 100 });
	expect(g, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(atomic_load(&s->stage->values[1]), 1);
	CHECK_EQ(atomic_load(&s->stage->values[0]), 1);
	site_well(s);
}
CASE(engine_stopped, EVERYWHERE | ALONE)

/* Nobody dispatches: the wish to cancel goes out, and is fulfilled. */
static void cancelled_undispatched(struct site *s)
{
	struct given *g = GIVE(s, stores_and_spins, .options = NEVER);
	pid_t pid = stage_pid(s);

	CHECK_EQ(brood_cancel(s->brood, given_id(g)), 0);
	CHECK(WAIT_UNTIL(!proc_alive(pid), 20000));
	expect(g, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.pid, pid);
	CHECK_EQ(g->v.signal, SIGKILL);
	CHECK(g->v.started);
	site_well(s);
}
CASE(cancelled_undispatched, EVERYWHERE)

/* ---- cancel ---- */

struct wish { struct site *site; struct given *given; };
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

/* Queued ones at once, while the one before them runs on; the others are not touched. */
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
	CHECK_EQ(atomic_load(&s->stage->left), 0);             /* it still runs */
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 1; i < 6; i += 2)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->ordered), 3);
	CHECK_EQ(brood_cancel(s->brood, first->id), -ENOENT);
	CHECK_EQ(pool_stats(s->brood).died, 0);
}
CASE(cancelled_in_the_queue, EVERYWHERE | ALONE, .workers = 1)

/* The one that runs, while others wait behind it: they go on, in order, elsewhere. Not on an explicit lease: it is over then. */
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
	for (int i = 0; i < 6 && !site_is(s, CALLS); i++)      /* calls are given by threads of their own: no order */
		CHECK_EQ(atomic_load(&s->stage->order[i]), i);
}
CASE(cancelled_before_others, ANY_WORKER | ALONE, .workers = 1)

/* Cancelled again and again, at any moment of its life: one verdict, and a true one. */
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
		expect(g, g->v.outcome == BROOD_CANCELLED ? BROOD_CANCELLED : BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(brood_cancel(s->brood, id), -ENOENT);
	}
	site_well(s);
}
CASE(cancelled_at_any_moment, EVERYWHERE)

/* SIGTERM of anybody else is nothing. */
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
