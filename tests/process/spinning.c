/* SPDX-License-Identifier: MIT */
/*
 * spinning.c - engine and workers look for each other for a moment before they sleep: who may, what
 * a job sees of that, and that nothing is lost between the last look and the sleep. How long a spin
 * lasts: tests/unit/spin.c. That it ends: tests/process/idle.c.
 */
#include "../helpers/peer_lease.h"
#include "../helpers/pool.h"
#include "../../src/engine/queue.h"
#include "../../src/os/cpu.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <unistd.h>

TestSuite(spinning, .timeout = 120);

/* ---- the engine, between a fake supervisor and a fake worker ---- */

static struct peer peer;
static struct brood_queue *queue;
static struct peer_lease lease;

static void start(uint32_t flags)
{
	peer_init(&peer);
	peer.options.workers = peer.options.leases = 1;
	peer.options.dispatch = BROOD_PATH_LEASE;
	peer.options.run_ms = BROOD_FOREVER;
	peer.options.queue_ms = 20000;
	peer.options.flags |= flags;
	peer_start(&peer, 17);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queue), 0);
}

static bool given(void)
{
	CHECK_GE(engine_queue_dispatch(queue), 0);
	return peer_given(&lease);
}

static void submit(void)
{
	struct brood_job_options o = { .size = sizeof o, .queue = queue };
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };

	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

static void begin_job(void)
{
	submit();
	if (!lease.peer)
		peer_grant(&peer, 0, &lease);
	CHECK(WAIT_UNTIL(given(), PEER_WAIT_MS));
	peer_begin(&lease);
}

static void waits_in_vain(void) { CHECK_EQ(engine_queue_wait(queue, 20), -ETIMEDOUT); }

static void end_job(void)
{
	const struct brood_result *r;

	peer_end(&lease, 0);
	CHECK(WAIT_UNTIL(engine_take(queue, &r, 1) == 1, PEER_WAIT_MS));
	CHECK_EQ(r->verdict.outcome, BROOD_DONE);
}

static bool may_spin(void) { return cpu_usable("") > 1 && cpu_now() != CPU_UNKNOWN; }

static void says_where(void)
{
	start(0);
	begin_job();
	waits_in_vain();
	CHECK_EQ(lease.queue->cpu != CPU_UNKNOWN, may_spin());
	end_job();
}
Test(spinning, the_engine_says_where_it_runs) { case_run(says_where, 30000); }

static void is_silent(uint32_t flags)
{
	start(flags);
	begin_job();
	waits_in_vain();
	CHECK_EQ(lease.queue->cpu, CPU_UNKNOWN);
	end_job();
}

static void says_nothing(void) { is_silent(BROOD_NO_SPIN); }
Test(spinning, without_spins_the_engine_says_nothing) { case_run(says_nothing, 30000); }

static void one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
	is_silent(0);
}
Test(spinning, with_one_cpu_nobody_spins) { case_run(one_cpu, 30000); }

/* A worker may write any number there. */
static void lies(void)
{
	const uint32_t cpus[] = { 0, 1, 2, 1000, UINT32_MAX };

	start(0);
	for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
		begin_job();
		lease.up->cpu = cpus[i];
		waits_in_vain();
		end_job();
	}
}
Test(spinning, a_worker_may_lie_about_its_cpu) { case_run(lies, 30000); }

static void *ends_it(void *arg)
{
	(void)arg;
	peer_end(&lease, 0);
	return NULL;
}

/* The job ends before the engine waits, while it spins, while it is about to sleep, or later. */
static void any_moment(void)
{
	start(0);
	for (int i = 0; i < 2000; i++) {
		pthread_t thread;
		const struct brood_result *r;

		begin_job();
		lease.up->cpu = 1000;
		CHECK_EQ(pthread_create(&thread, NULL, ends_it, NULL), 0);
		CHECK_GT(engine_queue_wait(queue, PEER_WAIT_MS), 0);
		CHECK_EQ(engine_take(queue, &r, 1), 1);
		CHECK_EQ(r->verdict.outcome, BROOD_DONE);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}
Test(spinning, the_job_may_end_at_any_moment) { case_run(any_moment, 60000); }

/* ---- a whole pool ---- */

static int job_sees_its_cpus(struct brood_job *job)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) < 0 ||
		brood_job_reply(job, &set, sizeof set) != sizeof set;
}

/* Workers that step aside allow all CPUs again before a job runs. */
static void affinity(void)
{
	struct brood_options options = { .workers = 2 };
	struct brood *brood = pool_start(&options);
	cpu_set_t all, seen;

	CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
	for (int i = 0; i < 20000; i++) {
		struct brood_verdict v;
		brood_fn *fn = i % 64 ? job_nothing : job_sees_its_cpus;

		CHECK_GE(brood_call(brood, fn, NULL, 0, &seen, sizeof seen, NULL, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK(i % 64 || CPU_EQUAL(&seen, &all));
	}
	pool_stop(brood);
}
Test(spinning, a_job_may_use_all_cpus) { case_run(affinity, 100000); }

static int job_leaves_a_file(struct brood_job *job)
{
	(void)job;
	return dup(0) < 0;
}

/*
 * The look after trusted jobs waits for a moment without jobs, but not for ever: a worker that
 * finds its next job by spinning each time never sleeps.
 */
static void trusted(void)
{
	struct brood_options options = { .workers = 1 };
	struct brood_job_options o = {
		.size = sizeof o, .flags = BROOD_JOB_TRUSTED, .dispatch = BROOD_PATH_LEASE
	};
	struct brood *brood = pool_start(&options);
	struct brood_verdict v = pool_call_with(brood, job_leaves_a_file, &o);
	pid_t pid = v.pid;

	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.path, BROOD_PATH_LEASE);
	CHECK_EQ(v.left, 0); /* nobody has looked yet */
	for (uint64_t until = now_ns() + 20 * NS_PER_S; v.pid == pid;) {
		CHECK(now_ns() < until);
		v = pool_call_with(brood, job_nothing, &o);
		CHECK_EQ(v.outcome, BROOD_DONE);
	}
	pool_stop(brood);
}
Test(spinning, the_look_after_trusted_jobs_comes) { case_run(trusted, 60000); }

struct caller {
	struct brood *brood;
	pthread_t thread;
	int calls;
};

static void *calls(void *arg)
{
	struct caller *c = arg;

	for (int i = 0; i < c->calls; i++) {
		struct brood_verdict v;

		CHECK_GE(brood_call(c->brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
	}
	return NULL;
}

/* More threads than workers and CPUs: whoever spins keeps a CPU from somebody. */
static void many_threads(void)
{
	struct brood_options options = { .workers = 2 };
	struct caller callers[6] = { { .brood = pool_start(&options) } };

	for (size_t i = 0; i < 6; i++) {
		callers[i] = (struct caller){ .brood = callers[0].brood, .calls = 3000 };
		CHECK_EQ(pthread_create(&callers[i].thread, NULL, calls, &callers[i]), 0);
	}
	for (size_t i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(callers[i].thread, NULL), 0);
	pool_stop(callers[0].brood);
}
Test(spinning, more_threads_than_workers) { case_run(many_threads, 100000); }

/* A thread that spins has the queue's lock, and lets go of it when another thread submits. */
static void *submits(void *arg)
{
	struct caller *c = arg;
	struct brood_job_options o = { .size = sizeof o, .queue = queue };

	for (int i = 0; i < c->calls; i++)
		while (brood_submit(c->brood, job_nothing, NULL, 0, &o, NULL) == -EAGAIN)
			sched_yield();
	return NULL;
}

static void shared_queue(void)
{
	struct brood_options options = { .workers = 2 };
	struct caller caller = { .brood = pool_start(&options), .calls = 10000 };
	const struct brood_result *results[64];
	int count = 0;

	CHECK_EQ(brood_queue_new(caller.brood, NULL, &queue), 0);
	CHECK_EQ(pthread_create(&caller.thread, NULL, submits, &caller), 0);
	while (count < caller.calls) {
		int n;

		brood_queue_wait(queue, 1000);
		n = brood_take(queue, results, 64);
		CHECK_GE(n, 0);
		count += n;
	}
	CHECK_EQ(pthread_join(caller.thread, NULL), 0);
	brood_queue_free(queue);
	pool_stop(caller.brood);
}
Test(spinning, two_threads_share_a_queue) { case_run(shared_queue, 100000); }
