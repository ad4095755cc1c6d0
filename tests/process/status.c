/* SPDX-License-Identifier: MIT */
/*
 * status.c - the status page of a pool that runs is true: read as a tool reads it, by a process
 * outside, while workers run, hang, die, and while the supervisor or the engine is stopped.
 */
#include "../../src/base/base.h"
#include "../../tools/status/page.h"
#include "../helpers/pool.h"
#include "../helpers/proc.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(status, .timeout = 120);

#define LONG_MS 10000

static struct status_page page;

static void open_page(pid_t of)
{
	CHECK_EQ(status_page_open(of, &page), 0);
	CHECK_EQ(page.supervisor, getppid());
}

/* How many workers do this. name: NULL: any. */
static uint32_t count(uint32_t state, bool runs, const char *name)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < status_view_slots(&page.view); i++) {
		struct status_worker w;

		status_view_worker(&page.view, i, &w);
		n += w.state == state && w.runs == runs &&
			(!name || (w.runs && strcmp(w.name, name) == 0));
	}
	return n;
}

static uint32_t running(const char *name)
{
	return count(BROOD_STATUS_BUSY, true, name) + count(BROOD_STATUS_LEASED, true, name);
}

static struct brood_status_sums sums_now(void)
{
	struct brood_status_sums sums;

	status_view_sums(&page.view, 0, &sums);
	return sums;
}

static struct brood_status_counts counts_now(void)
{
	struct brood_status_counts counts;

	status_view_counts(&page.view, 0, &counts);
	return counts;
}

static uint64_t verdicts(enum brood_outcome outcome)
{
	struct brood_status_sums sums = sums_now();
	uint64_t n = 0;

	for (int i = 0; i < BROOD_STATUS_DETAILS; i++)
		n += sums.verdicts[outcome][i];
	return n;
}

static uint32_t state_of_brood(void)
{
	struct brood_status_brood brood;

	CHECK(status_view_brood(&page.view, &brood));
	return brood.state;
}

/* ---- who there is ---- */

static void tells_who(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 3, .title = "shop", .backlog = 77, .run_ms = 1234
	};
	struct brood *brood = pool_start(&options);
	struct brood_status_brood b;
	struct brood_status_pool pool;
	struct status_worker w;
	struct status_page other;
	pid_t worker = pool_ask_pid(brood);

	open_page(getpid());
	CHECK(WAIT_UNTIL(state_of_brood() == BROOD_STATUS_SERVING, LONG_MS));
	CHECK(status_view_brood(&page.view, &b));
	CHECK_EQ(b.supervisor_pid, getppid());
	CHECK_EQ(b.engine_pid, getpid());
	CHECK_GT(b.guard_pid, 0);
	CHECK_EQ(b.workers, 3);
	CHECK_STR(b.name, "shop");
	CHECK_STR(b.version, brood_version());
	CHECK(b.started_ns <= now_ns() && b.started_ns + 60 * NS_PER_S > now_ns());
	CHECK(status_view_pool(&page.view, 0, &pool));
	CHECK_STR(pool.name, "main");
	CHECK_EQ(pool.workers, 3);
	CHECK_EQ(pool.workers_max, 3);
	CHECK_EQ(pool.backlog, 77);
	CHECK_EQ(pool.times.run_ms, 1234);
	CHECK_EQ(pool.times.queue_ms, 10000);
	for (uint32_t i = 0; i < 3; i++) {
		status_view_worker(&page.view, i, &w);
		CHECK_GT(w.pid, 0);
		CHECK_EQ(w.generation, 1);
		CHECK(w.born_ns > 0 && w.born_ns <= w.ready_ns && w.ready_ns <= now_ns());
	}
	/* from any process of the brood, by name, and in the list */
	CHECK_EQ(status_page_open(worker, &other), 0);
	CHECK_EQ(other.supervisor, getppid());
	status_page_close(&other);
	CHECK_EQ(status_page_find("shop", &other), 0);
	CHECK(status_page_alive(&other));
	status_page_close(&other);
	CHECK_EQ(status_page_find("no such brood", &other), -ENOENT);
	CHECK_EQ(status_page_open(1 << 30, &other), -ESRCH);
	pool_stop(brood);
	CHECK_EQ(state_of_brood(), BROOD_STATUS_STOPPING);
	status_page_close(&page);
}
Test(status, tells_who_there_is) { case_run(tells_who, 30000); }

/* ---- jobs that run ---- */

static void jobs(enum brood_path path)
{
	struct brood *brood = pool_start_workers(2);
	struct brood_job_options options = {
		.size = sizeof options, .dispatch = path, .tag = "GET /index"
	};
	struct brood_worker_info infos[4] = { 0 };
	struct brood_handle *handle;
	struct status_worker w;
	uint64_t before = now_ns();
	int n, fd, busy = -1;

	open_page(getpid());
	CHECK_EQ(brood_open(brood, job_until_cancelled, &options, &fd, &handle), 0);
	CHECK(WAIT_UNTIL(running("job_until_cancelled") == 1, LONG_MS));
	for (uint32_t i = 0; i < 2; i++) {
		status_view_worker(&page.view, i, &w);
		if (w.runs)
			break;
	}
	CHECK(!w.in_flux);
	CHECK_EQ(w.leased, path == BROOD_PATH_LEASE);
	CHECK_EQ(w.job, brood_id(handle));
	CHECK_EQ(w.fn, (uint64_t)(uintptr_t)job_until_cancelled);
	CHECK_STR(w.tag, "GET /index");
	CHECK(w.job_since_ns >= before && w.job_since_ns <= now_ns());
	n = brood_workers(brood_pool(brood, NULL), infos, sizeof infos[0], 4);
	CHECK_EQ(n, 2);
	for (int i = 0; i < n; i++)
		if (infos[i].state == BROOD_WORKER_BUSY)
			busy = i;
	CHECK_GE(busy, 0);
	CHECK_EQ(infos[busy].size, sizeof infos[0]);
	CHECK_EQ(infos[busy].job, brood_id(handle));
	CHECK_EQ(infos[busy].path, path);
	CHECK_EQ(infos[busy].pid, w.pid);
	CHECK_STR(infos[busy].name, "job_until_cancelled");
	CHECK_STR(infos[busy].tag, "GET /index");
	CHECK_LE(infos[busy].since_us, (now_ns() - before) / NS_PER_US);
	brood_cancel(brood, brood_id(handle));
	CHECK_EQ(brood_wait(handle, LONG_MS, NULL), 0);
	CHECK(WAIT_UNTIL(running(NULL) == 0, LONG_MS));
	brood_release(handle);
	close(fd);
	pool_stop(brood);
}
static void by_handoff(void) { jobs(BROOD_PATH_HANDOFF); }
static void on_lease(void) { jobs(BROOD_PATH_LEASE); }
Test(status, a_job_by_handoff) { case_run(by_handoff, 30000); }
Test(status, a_job_on_lease) { case_run(on_lease, 30000); }

/* ---- nobody has to be well ---- */

static void stopped(enum brood_path path)
{
	struct brood *brood = pool_start_workers(2);
	struct brood_job_options options = { .size = sizeof options, .dispatch = path };
	struct brood_handle *handles[2];
	int fds[2];
	pid_t reader, supervisor = getppid();
	int status;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_open(brood, job_sleep_forever, &options, &fds[i], &handles[i]), 0);
	open_page(getpid());
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && running("job_sleep_forever") == 2, LONG_MS));
	/* all are busy, and whoever could answer is stopped: the reader is a process outside */
	fflush(NULL);
	reader = fork();
	if (reader == 0) {
		struct status_page own;
		bool good;

		kill(getppid(), SIGSTOP);
		kill(supervisor, SIGSTOP);
		good = status_page_open(supervisor, &own) == 0;
		page = own;
		good = good && running("job_sleep_forever") == 2 &&
			state_of_brood() == BROOD_STATUS_SERVING;
		kill(supervisor, SIGCONT);
		kill(getppid(), SIGCONT);
		_exit(good ? 0 : 1);
	}
	CHECK_EQ(waitpid(reader, &status, 0), reader);
	CHECK_EQ(status, 0);
	for (int i = 0; i < 2; i++) {
		brood_cancel(brood, brood_id(handles[i]));
		CHECK_EQ(brood_wait(handles[i], LONG_MS, NULL), 0);
		brood_release(handles[i]);
		close(fds[i]);
	}
	CHECK(WAIT_UNTIL(counts_now().deaths[BROOD_STATUS_CANCELLED] == 2, LONG_MS));
	pool_stop(brood);
}
static void stopped_handoff(void) { stopped(BROOD_PATH_HANDOFF); }
static void stopped_lease(void) { stopped(BROOD_PATH_LEASE); }
Test(status, supervisor_and_engine_are_stopped) { case_run(stopped_handoff, 60000); }
Test(status, supervisor_and_engine_are_stopped_leases) { case_run(stopped_lease, 60000); }

/* ---- counters ---- */

static int job_random(struct brood_job *job)
{
	switch (*(const unsigned char *)brood_job_arg(job, NULL) % 8) {
	case 0: return 7;
	case 1: _exit(3);
	case 2: abort();
	case 3: raise(SIGKILL); return 0;
	default: return 0;
	}
}

/* A death that nobody waits for may still be on its way to the page. */
static void same_as_stats(struct brood *brood, const uint64_t expect[BROOD_OUTCOMES])
{
	struct brood_stats stats = pool_stats(brood);
	struct brood_status_counts counts = counts_now();
	uint64_t deaths = 0;

	for (int i = 1; i < BROOD_OUTCOMES; i++) {
		CHECK_EQ(verdicts((enum brood_outcome)i), expect[i]);
		CHECK_EQ(stats.verdicts[i], expect[i]);
	}
	for (int i = 0; i < BROOD_STATUS_CAUSES; i++)
		deaths += counts.deaths[i];
	CHECK(deaths >= stats.died);
	CHECK_EQ(counts.leases, stats.leases);
}

/* The i-th way to give a job. */
static struct brood_verdict give(
	struct brood *brood, struct brood_queue *queue, int i, struct brood_job_options *options)
{
	const struct brood_result *result;
	struct brood_handle *handle;
	struct brood_verdict v;
	uint64_t id;
	int fd;

	switch (i % 3) {
	case 0: return pool_call_with(brood, job_random, options);
	case 1:
		options->queue = queue;
		CHECK_EQ(brood_submit(brood, job_random, "", 0, options, &id), 0);
		CHECK_EQ(brood_wait_id(queue, id, LONG_MS, &result), 0);
		return result->verdict;
	default:
		CHECK_EQ(brood_open(brood, job_random, options, &fd, &handle), 0);
		CHECK_EQ(brood_wait(handle, LONG_MS, &v), 0);
		brood_release(handle);
		close(fd);
		return v;
	}
}

/* All ways to give a job, with retries among them: each verdict is counted once. */
static void counted(void)
{
	struct brood *brood = pool_start_workers(3);
	uint64_t expect[BROOD_OUTCOMES] = { 0 }, attempts = 0;
	struct brood_histogram run = { .size = sizeof run };
	struct brood_queue *queue;

	open_page(getpid());
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	srand(1);
	for (int i = 0; i < 400; i++) {
		unsigned char what = (unsigned char)(rand() % 256);
		struct brood_job_options options = { .size = sizeof options,
			.dispatch = i % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF,
			.arg = &what,
			.arg_size = 1,
			.queue_ms = LONG_MS,
			.retries = (uint32_t)(i / 6 % 3),
			.retry_on = BROOD_RETRY_OUTSIDE | BROOD_RETRY_CRASH };
		struct brood_verdict v = give(brood, queue, i / 2, &options);

		expect[v.outcome]++;
		attempts += v.attempts;
	}
	CHECK(expect[BROOD_DONE] > 100 && expect[BROOD_CRASHED] > 20 && attempts > 410);
	same_as_stats(brood, expect);
	CHECK_EQ(brood_histogram(brood_pool(brood, NULL), BROOD_TIME_RUN, &run), 0);
	CHECK_GE(run.count, 400);
	CHECK_LE(run.count, attempts);
	CHECK_GT(run.p99_ns, 0);
	CHECK_LE(run.p50_ns, run.p99_ns);
	CHECK_EQ(run.p99_ns, brood_histogram_quantile(&run, 0.99));
	brood_queue_free(queue);
	same_as_stats(brood, expect);
	pool_stop(brood);
}
Test(status, each_verdict_is_counted_once) { case_run(counted, 120000); }

static void deaths(void)
{
	struct brood *brood = pool_start_workers(2);
	struct brood_histogram ready = { .size = sizeof ready }, verdict = ready;
	struct brood_pool *pool = brood_pool(brood, NULL);
	const unsigned char what[] = { 1, 2, 3 };
	struct brood_job_options options = { .size = sizeof options, .arg_size = 1 };

	open_page(getpid());
	for (int i = 0; i < 6; i++) {
		options.arg = &what[i / 2];
		options.dispatch = i % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF;
		pool_call_with(brood, job_random, &options);
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).died == 6 && pool_full(brood), LONG_MS));
	CHECK_EQ(counts_now().deaths[BROOD_STATUS_EXITED], 2);
	CHECK_EQ(counts_now().deaths[BROOD_STATUS_CRASHED], 2);
	CHECK_EQ(counts_now().deaths[BROOD_STATUS_OUTSIDE], 2);
	CHECK(WAIT_UNTIL(
		brood_histogram(pool, BROOD_TIME_DEATH_TO_READY, &ready) == 0 && ready.count == 6,
		LONG_MS));
	CHECK_EQ(brood_histogram(pool, BROOD_TIME_DEATH_TO_VERDICT, &verdict), 0);
	CHECK_EQ(verdict.count, 6);
	CHECK_GT(ready.p50_ns, verdict.p50_ns);
	pool_stop(brood);
}
Test(status, deaths) { case_run(deaths, 60000); }

/* ---- what changes a pool ---- */

static struct brood_status_pool pool_now(void)
{
	struct brood_status_pool pool;

	CHECK(status_view_pool(&page.view, 0, &pool));
	return pool;
}

/* A slot shows its worker until the death is buried, a moment after the count of deaths. */
static bool only_idle(void)
{
	struct status_worker w;

	for (uint32_t i = 0; i < status_view_slots(&page.view); i++) {
		status_view_worker(&page.view, i, &w);
		if (w.pid != 0 && w.state != BROOD_STATUS_IDLE)
			return false;
	}
	return true;
}
static void changed(void)
{
	struct brood *brood = pool_start_workers(3);
	uint64_t id;

	open_page(getpid());
	CHECK_EQ(pool_now().resizes, 0);
	CHECK_EQ(pool_now().reload_epoch, 0);
	CHECK_EQ(brood_pool_resize(brood_pool(brood, NULL), 2, 2), 0);
	CHECK(WAIT_UNTIL(pool_now().workers_max == 2 && counts_now().ready == 2, LONG_MS));
	CHECK_EQ(pool_now().resizes, 1);
	CHECK_EQ(pool_now().workers, 3);
	CHECK(WAIT_UNTIL(count(BROOD_STATUS_IDLE, false, NULL) == 2, LONG_MS));
	CHECK(WAIT_UNTIL(counts_now().deaths[BROOD_STATUS_RETIRED] == 1, LONG_MS));
	CHECK_EQ(brood_reload(brood, NULL, &id), 0);
	CHECK_EQ(brood_reload_wait(brood, id, LONG_MS), 0);
	CHECK(WAIT_UNTIL(!pool_now().reloading, LONG_MS));
	CHECK_EQ(pool_now().reload_epoch, 1);
	CHECK_EQ(pool_now().reload_id, id);
	CHECK_EQ(pool_now().reload_result, 0);
	CHECK(WAIT_UNTIL(counts_now().deaths[BROOD_STATUS_RETIRED] == 3, LONG_MS));
	CHECK(WAIT_UNTIL(only_idle(), LONG_MS));
	pool_stop(brood);
}
Test(status, resize_and_reload) { case_run(changed, 60000); }

/* ---- the end ---- */

static _Atomic int *gate;

static int job_at_gate(struct brood_job *job)
{
	(void)job;
	while (!atomic_load(gate))
		usleep(1000);
	return 0;
}

/* While the engine waits for its own jobs, the supervisor has yet to be asked for the stop. */
static void *see_the_drain(void *context)
{
	static char text[1 << 20];

	CHECK(WAIT_UNTIL(state_of_brood() == BROOD_STATUS_DRAINING, LONG_MS));
	CHECK_GT(brood_metrics(context, text, sizeof text), 0);
	CHECK(strstr(text, "brood_state{brood_state=\"draining\"} 1\n"));
	CHECK(strstr(text, "brood_state{brood_state=\"serving\"} 0\n"));
	CHECK_EQ(running("job_at_gate"), 1);
	atomic_store(gate, 1);
	return NULL;
}

static void drains(enum brood_path path)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .drain_ms = LONG_MS
	};
	struct brood_job_options job = { .size = sizeof job, .dispatch = path };
	struct brood *brood;
	pthread_t thread;

	gate = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	brood = pool_start(&options);
	open_page(getpid());
	CHECK(WAIT_UNTIL(state_of_brood() == BROOD_STATUS_SERVING, LONG_MS));
	/* the second one waits in the engine */
	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_submit(brood, job_at_gate, NULL, 0, &job, NULL), 0);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && running("job_at_gate") == 1, LONG_MS));
	CHECK_EQ(pthread_create(&thread, NULL, see_the_drain, brood), 0);
	pool_stop(brood);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(verdicts(BROOD_DONE), 2);
	CHECK_EQ(state_of_brood(), BROOD_STATUS_STOPPING);
}
static void drains_handoff(void) { drains(BROOD_PATH_HANDOFF); }
static void drains_lease(void) { drains(BROOD_PATH_LEASE); }
Test(status, tells_of_the_drain) { case_run(drains_handoff, 60000); }
Test(status, tells_of_the_drain_of_leases) { case_run(drains_lease, 60000); }

/* ---- what a reader sees while workers die ---- */

static void dying(void)
{
	struct brood *brood = pool_start_workers(4);
	pid_t reader;
	int status;

	fflush(NULL);
	reader = fork();
	if (reader == 0) {
		uint64_t until = now_ns() + NS_PER_S, done = 0;
		bool good = status_page_open(getppid(), &page) == 0;

		while (good && now_ns() < until) {
			uint64_t now = verdicts(BROOD_DONE) + verdicts(BROOD_EXITED);

			good = now >= done && running(NULL) <= 4;
			done = now;
		}
		_exit(good && done > 0 ? 0 : 1);
	}
	while (waitpid(reader, &status, WNOHANG) == 0) {
		unsigned char what = (unsigned char)(rand() % 2 ? 1 : 5);
		struct brood_job_options options = { .size = sizeof options,
			.dispatch = rand() % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF,
			.arg = &what,
			.arg_size = 1 };

		pool_call_with(brood, job_random, &options);
	}
	CHECK_EQ(status, 0);
	pool_stop(brood);
}
Test(status, is_true_while_workers_die) { case_run(dying, 60000); }
