/* SPDX-License-Identifier: MIT */
/*
 * callers.c - more threads call than there are workers. Whoever came first is served first, each
 * call has its verdict, and no thread sleeps for ever, whatever happens to the workers, the job or
 * the pool.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(callers, .timeout = 120);

#define THREADS_MAX 24

/* What jobs write. It is mapped before the start. */
struct seen {
	atomic_bool held, go;
	atomic_uint count;
	char order[THREADS_MAX];
};
static struct seen *seen;
static struct brood *brood;

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .flags = BROOD_NO_CORE };

	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(seen != MAP_FAILED);
	brood = pool_start(&options);
}

static void join_all(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* ---- first come, first served ---- */

static int hold(struct brood_job *job)
{
	(void)job;
	atomic_store(&seen->held, true);
	while (!atomic_load(&seen->go))
		usleep(500);
	return 0;
}

static int note_it(struct brood_job *job)
{
	size_t size;
	const char *arg = brood_job_arg(job, &size);

	if (*arg != '-')
		seen->order[atomic_fetch_add(&seen->count, 1)] = *arg;
	return 0;
}

static void call_note(char what)
{
	struct brood_job_options o = { .size = sizeof o,
		.dispatch = BROOD_PATH_LEASE,
		.arg = &what,
		.arg_size = 1,
		.queue_ms = 60000 };
	struct brood_verdict v = pool_call_with(brood, note_it, &o);

	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.path, BROOD_PATH_LEASE);
}

static void *holder(void *known)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };

	for (int i = 0; known && i < 20; i++)
		call_note('-'); /* from then on the engine knows how long this function takes */
	CHECK_EQ(pool_call_with(brood, hold, &o).outcome, BROOD_DONE);
	return NULL;
}

static void *noter(void *what)
{
	call_note(*(char *)what);
	return NULL;
}

/*
 * With `known` the waiting jobs stand at first in the worker's ring, behind the job that takes
 * long.
 */
static void in_order(bool known)
{
	static char names[] = "abcdefghijkl";
	const int count = sizeof names - 1;
	pthread_t held, threads[THREADS_MAX];

	start(1);
	for (int i = 0; i < 5; i++)
		/* the one queue that a thread has to itself is taken */
		POOL_CALL(brood, job_nothing);
	CHECK_EQ(pthread_create(&held, NULL, holder, known ? seen : NULL), 0);
	while (!atomic_load(&seen->held))
		usleep(500);
	for (int i = 0; i < count; i++) {
		uint64_t before = pool_stats(brood).submitted;

		CHECK_EQ(pthread_create(&threads[i], NULL, noter, &names[i]), 0);
		while (pool_stats(brood).submitted == before)
			usleep(200);
		/* some jobs are moved out of the ring before others come */
		usleep(i % 4 == 3 ? 4000 : 0);
	}
	atomic_store(&seen->go, true);
	join_all(threads, count);
	join_all(&held, 1);
	CHECK_EQ(seen->count, (unsigned)count);
	CHECK_MEM(seen->order, names, (size_t)count);
	pool_stop(brood);
}
static void waiting_in_order(void) { in_order(false); }
static void ringed_in_order(void) { in_order(true); }
Test(callers, the_queue_is_first_come_first_served) { case_run(waiting_in_order, 30000); }
Test(callers, so_is_what_stood_in_a_ring) { case_run(ringed_in_order, 30000); }

/* ---- no handing off while leases serve ---- */

#define ENOUGH 10
static pthread_barrier_t all_here;
static atomic_int handed_off;

static void *many_calls(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++) {
		if (i == ENOUGH)
			pthread_barrier_wait(&all_here);
		struct brood_verdict v = POOL_CALL(brood, job_nothing);

		CHECK_EQ(v.outcome, BROOD_DONE);
		handed_off += i >= ENOUGH && v.path != BROOD_PATH_LEASE;
	}
	return NULL;
}

static void on_leases(void)
{
	pthread_t threads[12];

	start(2);
	CHECK_EQ(pthread_barrier_init(&all_here, NULL, 12), 0);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, many_calls, NULL), 0);
	join_all(threads, 12);
	CHECK_EQ(handed_off, 0);
	pool_stop(brood);
}
Test(callers, they_share_the_leases) { case_run(on_leases, 60000); }

/* ---- whatever happens ---- */

static _Atomic uint64_t recent[64];
static atomic_bool over;

static int any_job(struct brood_job *job)
{
	size_t size;
	const char *arg = brood_job_arg(job, &size);
	volatile bool for_ever = true;

	switch (*arg) {
	case 'c': abort();
	case 's': usleep(1000); break;
	case 'w':
		while (for_ever)
			;
		break;
	default: break;
	}
	brood_job_progress(job, "half", 4);
	return brood_job_write(job, "reply", 5) == 5 ? 0 : 1;
}

static void on_progress(void *context, uint64_t id, const void *data, size_t size)
{
	(void)id;
	CHECK_EQ(size, 4);
	CHECK_MEM(data, "half", 4);
	++*(int *)context;
}

static void one_of_any(unsigned *state, bool kill_workers)
{
	static const char kinds[] = "eeeeeeeesssscw";
	char what = kill_workers ? 'e' : kinds[(unsigned)rand_r(state) % (sizeof kinds - 1)],
	     got[8];
	int progress = 0;
	uint64_t id = 0;
	struct brood_job_options o = { .size = sizeof o,
		.dispatch = (uint32_t)rand_r(state) % 2 ? BROOD_PATH_LEASE : BROOD_PATH_AUTO,
		.arg = &what,
		.arg_size = 1,
		.run_ms = what == 'w' ? 15 : 20000,
		.grace_ms = 1,
		.queue_ms = 60000,
		.on_progress = on_progress,
		.context = &progress,
		.ret_id = &id };
	struct brood_verdict v = { .size = sizeof v };
	ssize_t n = brood_call(brood, any_job, "request", 7, got, sizeof got, &o, &v);

	atomic_store(&recent[(unsigned)rand_r(state) % 64], id);
	if (v.outcome == BROOD_DONE) {
		CHECK_EQ(n, 5);
		CHECK_MEM(got, "reply", 5);
		CHECK_EQ(progress, 1);
		CHECK(what == 'e' || what == 's');
	} else {
		CHECK(v.outcome == BROOD_CANCELLED ||
			(v.outcome == BROOD_CRASHED && (what == 'c' || kill_workers)) ||
			(v.outcome == BROOD_TIMED_OUT && what == 'w'));
	}
	if (kill_workers && v.pid > 1 && rand_r(state) % 16 == 0)
		kill(v.pid, SIGKILL);
}

static void *any_calls(void *kill_workers)
{
	unsigned state = (unsigned)(uintptr_t)pthread_self() ^ (unsigned)getpid();

	for (int i = 0; i < 60; i++)
		one_of_any(&state, kill_workers);
	return NULL;
}

static void *cancels(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !atomic_load(&over); i++) {
		uint64_t id = atomic_exchange(&recent[i % 64], 0);

		if (id)
			/* in most cases the id of another job, which is running now */
			brood_cancel(brood, id + i % 32);
		usleep(300);
	}
	return NULL;
}

static void all_kinds(bool kill_workers)
{
	pthread_t threads[THREADS_MAX], canceller;
	struct brood_stats stats;

	start(3);
	CHECK_EQ(pthread_create(&canceller, NULL, cancels, NULL), 0);
	for (int i = 0; i < THREADS_MAX; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, any_calls, kill_workers ? seen : NULL),
			0);
	join_all(threads, THREADS_MAX);
	atomic_store(&over, true);
	join_all(&canceller, 1);
	stats = pool_stats(brood);
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		stats.submitted -= stats.verdicts[i];
	CHECK_EQ(stats.submitted, 0); /* one verdict a call */
	pool_stop(brood);
}
static void jobs_go_wrong(void) { all_kinds(false); }
static void workers_are_killed(void) { all_kinds(true); }
Test(callers, each_has_its_verdict) { case_run(jobs_go_wrong, 60000); }
Test(callers, when_workers_are_killed_too) { case_run(workers_are_killed, 60000); }

/* ---- the end ---- */

static atomic_uint calls_done;

static void *until_refused(void *unused)
{
	char got[8];

	(void)unused;
	while (brood_call(brood, job_nothing, "", 0, got, sizeof got, NULL, NULL) >= 0)
		atomic_fetch_add(&calls_done, 1);
	return NULL;
}

static void stopped(void)
{
	pthread_t threads[THREADS_MAX];

	start(2);
	for (int i = 0; i < THREADS_MAX; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, until_refused, NULL), 0);
	while (atomic_load(&calls_done) < 2000)
		usleep(500);
	CHECK_EQ(brood_stop(brood), 0);
	join_all(threads, THREADS_MAX);
}
Test(callers, a_stop_ends_all_calls) { case_run(stopped, 60000); }
