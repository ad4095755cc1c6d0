/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - hostile workers beside honest jobs. Jobs (and at times worker_init) do to all that
 * they share what tests/helpers/hostile.c can think of. The honest jobs of other processes are all
 * done, with the right replies; each hostile one has exactly one verdict, whatever it is; the
 * engine and the supervisor go on, and the pool is full afterwards.
 *
 * BROOD_HOSTILE_SECONDS says how long (20), BROOD_HOSTILE_SEED repeats a run as far as that goes.
 * Which honest jobs are excused: those that met a worker that had been hostile before.
 */
#include "../helpers/conformance.h"
#include "../helpers/hostile.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

TestSuite(hostile, .timeout = 3600);

#define HONEST  4
#define HOSTILE 4

static struct brood *brood;
static uint64_t seed;
static atomic_int over;
static atomic_ulong honest_done, honest_excused, hostile_ended;
static atomic_ulong hostile_outcomes[BROOD_OUTCOMES];

static int seconds(void)
{
	const char *text = getenv("BROOD_HOSTILE_SECONDS");

	return text && atoi(text) > 0 ? atoi(text) : 20;
}

static void deaf(void *context, const struct brood_log *log) { (void)context, (void)log; }

/* ---- hostile ---- */

static int job_hostile(struct brood_job *job)
{
	const uint64_t *r = brood_job_arg(job, NULL);
	uint64_t state = *r | 1;
	char c;

	hostile_acts(*r);
	switch (hostile_random(&state) % 10) {
	case 0: _exit((int)(hostile_random(&state) % 256));
	case 1: raise(SIGKILL); break;
	case 2:
		for (;;)
			;
	case 3: return job_sleep_forever(job);
	case 4: hostile_acts(*r + 1); break;
	case 5:
		brood_job_progress(job, &state, sizeof state);
		brood_job_log(job, BROOD_DEBUG, "a line of a hostile job");
		break;
	case 6:
		while (brood_job_read(job, &c, 1) > 0)
			brood_job_write(job, &c, 1);
		break;
	default: break;
	}
	return (int)(hostile_random(&state) % 3);
}

static int hostile_init(void *unused)
{
	unsigned one_in = atomic_load(&hostile_shared()->init);
	uint64_t r = (uint64_t)getpid() * 7919 + seed;

	(void)unused;
	r |= 1;
	hostile_random(&r);
	if (!one_in || hostile_random(&r) % one_in)
		return 0;
	hostile_acts(r);
	return hostile_random(&r) % 3 == 0;
}

/*
 * Each verdict comes once (conformance.c looks), within its bound. A hostile worker may lie in it,
 * but not about what is impossible.
 */
static void one_hostile(struct site *s, uint64_t *r)
{
	struct given *g[6];
	uint64_t arg[6];
	int n = 1 + (int)(hostile_random(r) % 6);

	for (int i = 0; i < n; i++) {
		arg[i] = hostile_random(r);
		s->way = (enum way)(hostile_random(r) % WAYS);
		g[i] = GIVE(s, job_hostile, .request = "a request", .size = 9, .refusable = true,
			.options = { .run_ms = 100,
				.grace_ms = 50,
				.queue_ms = 60000,
				.arg = &arg[i],
				.arg_size = sizeof arg[i],
				.retries = (uint32_t)(hostile_random(r) % 3 == 0) });
		if (hostile_random(r) % 8 == 0 && !given_is(g[i], CALLS) && !g[i]->error)
			brood_cancel(brood, g[i]->id);
	}
	for (int i = 0; i < n; i++) {
		finish(g[i]);
		if (g[i]->error)
			continue;
		CHECK(g[i]->v.outcome >= BROOD_DONE && g[i]->v.outcome < BROOD_LOST);
		CHECK_EQ(g[i]->v.size, sizeof g[i]->v);
		CHECK_STR(g[i]->v.name, "job_hostile");
		CHECK_LE(
			g[i]->v.queue_us + g[i]->v.run_us, g[i]->elapsed_us + CONFORMANCE_GIVEN_US);
		atomic_fetch_add(&hostile_outcomes[g[i]->v.outcome], 1);
		atomic_fetch_add(&hostile_ended, 1);
		for (size_t k = 0; k < g[i]->fds_count; k++)
			close(g[i]->fds[k]);
	}
	givens_free(s);
}

static void *hostile_thread(void *number)
{
	/*
	 * Nobody looks at a pinned lease whose slot page says that its job has ended. The lease's
	 * time limit ends such a worker.
	 */
	struct site s = { .brood = brood,
		.number = 1 + (unsigned)(uintptr_t)number,
		.stage = case_shared(),
		.lease_ms = 5000 };
	uint64_t r = (seed + (uintptr_t)number * 977) | 1;

	while (!atomic_load(&over))
		one_hostile(&s, &r);
	s.lease = brood_lease_end(s.lease);
	brood_queue_free(s.queue);
	return NULL;
}

/* ---- honest ---- */

static int job_turns(struct brood_job *job)
{
	char block[8192];
	ssize_t n;

	while ((n = brood_job_read(job, block, sizeof block)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			block[i] = (char)~block[i];
		if (brood_job_write(job, block, (size_t)n) != n)
			return 1;
	}
	return n == 0 ? 0 : 2;
}

static void judge_honest(struct given *g, pid_t lease_pid)
{
	char line[512];

	finish(g);
	if (hostile_tainted(g->v.pid) || (given_is(g, PINNED) && hostile_tainted(lease_pid))) {
		atomic_fetch_add(&honest_excused, 1);
		return;
	}
	CHECK_MSG(g->error == 0, "%s: %d", way_names[g->way], g->error);
	brood_verdict_format(&g->v, line, sizeof line);
	CHECK_MSG(g->v.outcome == BROOD_DONE, "%s: %s", way_names[g->way], line);
	CHECK_MSG(
		g->reply_size == g->what.size, "%s: %zu of %zu", line, g->reply_size, g->what.size);
	for (size_t i = 0; i < g->reply_size; i++)
		CHECK_MSG(g->reply[i] == (char)~((const char *)g->what.request)[i], "%s: byte %zu",
			line, i);
	atomic_fetch_add(&honest_done, 1);
}

/*
 * These limits are well below the patience: a lease that a hostile worker got and keeps ends by
 * them, and its jobs are excused.
 */
static void some_honest(struct site *s, uint64_t *r)
{
	struct given *g[5];
	char *request[5];
	pid_t pids[5];
	int n = 1 + (int)(hostile_random(r) % 5);

	for (int i = 0; i < n; i++) {
		size_t size = hostile_random(r) % 4 ? hostile_random(r) % 200
						    : hostile_random(r) % 150000;

		request[i] = malloc(size + 1);
		CHECK(request[i]);
		for (size_t k = 0; k < size; k++)
			request[i][k] = (char)(k * 31 + (unsigned)i);
		s->way = (enum way)(hostile_random(r) % WAYS);
		g[i] = GIVE(s, job_turns, .request = request[i], .size = size, .refusable = true,
			.options = { .queue_ms = 50000, .run_ms = 15000 });
		pids[i] = 0;
		if (given_is(g[i], PINNED))
			brood_lease_worker(s->lease, &pids[i], NULL, NULL);
	}
	for (int i = 0; i < n; i++) {
		judge_honest(g[i], pids[i]);
		free(request[i]);
	}
	givens_free(s);
}

static void *honest_thread(void *number)
{
	struct site s = { .brood = brood,
		.number = 1 + HOSTILE + (unsigned)(uintptr_t)number,
		.stage = case_shared() };
	uint64_t r = (seed * 3 + (uintptr_t)number * 131) | 1;

	while (!atomic_load(&over))
		some_honest(&s, &r);
	s.lease = brood_lease_end(s.lease);
	brood_queue_free(s.queue);
	return NULL;
}

/* ---- both ---- */

static void run_for(int ms)
{
	pthread_t threads[HOSTILE + HONEST];
	uint64_t end = test_now_ms() + (uint64_t)ms;
	size_t n = 0;

	atomic_store(&over, 0);
	atomic_store(&hostile_shared()->init, 40);
	for (uintptr_t i = 0; i < HOSTILE; i++)
		CHECK_EQ(pthread_create(&threads[n++], NULL, hostile_thread, (void *)i), 0);
	for (uintptr_t i = 0; i < HONEST; i++)
		CHECK_EQ(pthread_create(&threads[n++], NULL, honest_thread, (void *)i), 0);
	for (unsigned round = 20; test_now_ms() < end; round++)
		test_pause(round);
	atomic_store(&hostile_shared()->init, 0);
	atomic_store(&over, 1);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

static bool settled(void)
{
	struct brood_stats stats;

	brood_dispatch(brood);
	stats = pool_stats(brood);
	return stats.ready == stats.workers && stats.leased == 0;
}

/* At the end all works: every way, in every worker. */
static void all_well(void)
{
	struct site s = { .brood = brood, .number = 20, .stage = case_shared() };

	CHECK(WAIT_UNTIL(settled(), 60000));
	for (int i = 0; i < 10; i++)
		for (unsigned way = 0; way < WAYS; way++) {
			struct given *g;

			s.way = (enum way)way;
			g = RUN(&s, job_turns, .request = "abc", .size = 3,
				.options.run_ms = 15000);
			if (!hostile_tainted(g->v.pid))
				CHECK_EQ(g->v.outcome, BROOD_DONE);
		}
	givens_free(&s);
	s.lease = brood_lease_end(s.lease);
	brood_queue_free(s.queue);
}

static void say_what_happened(void)
{
	struct hostile_shared *h = hostile_shared();
	char text[300] = "";
	size_t used = 0;

	for (int i = 1; i < BROOD_OUTCOMES; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, " %s %lu,",
			brood_outcome_name((enum brood_outcome)i),
			atomic_load(&hostile_outcomes[i]));
	snprintf(h->report, sizeof h->report,
		"%lu hostile jobs in %u processes:%s %lu honest ones done, %lu met a hostile "
		"worker",
		atomic_load(&hostile_ended), atomic_load(&h->count), text,
		atomic_load(&honest_done), atomic_load(&honest_excused));
}

static void beside_hostile_workers(void)
{
	struct brood_options options = {
		.workers = 8,
		.log = deaf,
		.worker_init = hostile_init,
		.flags = BROOD_NO_CORE,
		.start_limit = UINT32_MAX,
		.backoff_min_ms = 1,
		.backoff_max_ms = 20,
		.init_ms = 3000,
		.lease_idle_ms = 100,
		.queue_ms = 60000,
	};
	struct hostile_shared *h = hostile_shared();
	struct brood_stats stats;
	int fds;

	note("seed %ju", (uintmax_t)seed);
	brood = pool_start(&options);
	run_for(3000);
	all_well();
	fds = proc_own_fds();
	run_for(seconds() * 1000 - 3000 > 0 ? seconds() * 1000 - 3000 : 1000);
	all_well();
	CHECK_MSG(WAIT_UNTIL(brood_dispatch(brood) >= 0 && proc_own_fds() <= fds + 60, 5000),
		"%d fds, then %d", fds, proc_own_fds());
	CHECK_MSG(atomic_load(&h->breaches) == 0, "%s (and %u more)", h->breach,
		atomic_load(&h->breaches) - 1);
	CHECK_GT(atomic_load(&honest_done), 0);
	CHECK_GT(atomic_load(&hostile_ended), 0);
	stats = pool_stats(brood);
	CHECK_EQ(stats.verdicts[BROOD_LOST], 0);
	CHECK_EQ(stats.dropped, 0);
	say_what_happened();
	pool_stop(brood);
}

/* For tests/all/hostile, because a runner does not show what its tests print. */
static void report(void)
{
	const char *path = getenv("BROOD_HOSTILE_REPORT");
	FILE *file = path ? fopen(path, "we") : NULL;

	if (!file)
		return;
	fprintf(file, "seed %ju, %d s: %s\n", (uintmax_t)seed, seconds(), hostile_shared()->report);
	fclose(file);
}

Test(hostile, beside_honest_jobs)
{
	const char *text = getenv("BROOD_HOSTILE_SEED");

	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	seed |= 1;
	case_run(beside_hostile_workers, seconds() * 1000 + 180000);
	report();
}
