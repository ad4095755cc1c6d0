/* SPDX-License-Identifier: MIT */
/*
 * idle.c - law 8: no wake-up without a reason. A process that does nothing is blocked in one system
 * call and is not scheduled, so the kernel's count of its voluntary context switches stands still.
 * The time that it had a CPU stands still, too, so it does not spin. That needs no tracer, and a
 * loaded machine changes nothing in it. (What the one call is, strace shows: brood-load --idle.)
 *
 * The pool has had work, a crash and a stray before, so that every timer that such things set has
 * been set. What is measured is everybody: supervisor, guard, workers, and the engine, which is
 * blocked in poll() on brood_fd(). The one who measures is a child of the engine.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(idle, .timeout = 120);

#define WORKERS  3
#define CALM_MS  2500 /* longer than any pause after work: that of the sweep, healthy_ms */
#define WATCH_MS 4000

struct watched {
	const char *what;
	pid_t pid;
	uint64_t switches, ran_ns;
};
struct everybody {
	struct watched who[WORKERS + 4];
	size_t count;
};

static uint64_t switches_of(pid_t pid)
{
	char path[64], line[128];
	uint64_t n = UINT64_MAX;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	CHECK_MSG(file, "process %d is gone", (int)pid);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &n) == 1)
			break;
	fclose(file);
	CHECK(n != UINT64_MAX);
	return n;
}

static void watch(struct everybody *e, const char *what, pid_t pid)
{
	CHECK_MSG(pid > 0, "%s", what);
	e->who[e->count++] = (struct watched){ .what = what, .pid = pid };
}

/* How long the process has had a CPU; 0: this kernel does not count that. */
static uint64_t ran_ns(pid_t pid)
{
	char path[64];
	uint64_t ns = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%" SCNu64, &ns) != 1)
		ns = 0;
	if (file)
		fclose(file);
	return ns;
}

/* Names a process that has been awake in that time; NULL: none has. */
static const struct watched *awake_within(struct everybody *e, int ms)
{
	const struct watched *awake = NULL;

	for (size_t i = 0; i < e->count; i++) {
		e->who[i].switches = switches_of(e->who[i].pid);
		e->who[i].ran_ns = ran_ns(e->who[i].pid);
	}
	poll(NULL, 0, ms);
	for (size_t i = 0; i < e->count; i++)
		if (switches_of(e->who[i].pid) != e->who[i].switches ||
			ran_ns(e->who[i].pid) != e->who[i].ran_ns)
			awake = &e->who[i];
	return awake;
}

static void measure(pid_t engine)
{
	struct everybody e = { .count = 0 };
	pid_t supervisor = proc_parent(engine), guard, spawner, workers[WORKERS];
	const struct watched *awake;

	watch(&e, "the supervisor", supervisor);
	watch(&e, "the engine", engine);
	CHECK(WAIT_UNTIL((guard = proc_guard(supervisor)) > 0, 10000));
	watch(&e, "the guard", guard);
	CHECK(WAIT_UNTIL((spawner = proc_spawner(supervisor)) > 0, 10000));
	watch(&e, "the spawner", spawner);
	CHECK_EQ(proc_workers(supervisor, workers, WORKERS), WORKERS);
	for (int i = 0; i < WORKERS; i++)
		watch(&e, "a worker", workers[i]);
	CHECK(WAIT_UNTIL(!awake_within(&e, CALM_MS), 40000));
	awake = awake_within(&e, WATCH_MS);
	if (awake)
		FAIL("%s (pid %d): %" PRIu64 " wake-ups and %" PRIu64
		     " ns of CPU time with nothing to do",
			awake->what, (int)awake->pid, switches_of(awake->pid) - awake->switches,
			ran_ns(awake->pid) - awake->ran_ns);
}

static int job_crash(struct brood_job *job)
{
	(void)job;
	raise(SIGKILL);
	return 0;
}

/*
 * The stray is in a session of its own before the job ends: otherwise the kill of the worker's
 * group could hit it.
 */
static int job_leaves_a_child(struct brood_job *job)
{
	pid_t child = fork();

	(void)job;
	if (child == 0) {
		setsid();
		for (;;)
			pause();
	}
	while (child > 0 && getsid(child) != child)
		sched_yield();
	return child < 0;
}

static void silent(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
}

/* The engine has nothing to do until the measuring child ends, and with it its end of the pipe. */
static void sleep_in_poll(struct brood *brood, int pipe_fd)
{
	struct pollfd fds[2] = { { .fd = brood_fd(brood), .events = POLLIN },
		{ .fd = pipe_fd, .events = POLLIN } };

	while (!fds[1].revents) {
		CHECK(poll(fds, 2, -1) > 0 || errno == EINTR);
		if (fds[0].revents)
			CHECK(brood_dispatch(brood) >= 0);
	}
}

/* Two workers were replaced. The stray, which has a worker's title, is gone. */
static bool settled(struct brood *brood)
{
	struct brood_stats stats = pool_stats(brood);
	pid_t workers[2 * WORKERS];

	return stats.died == 2 && stats.strays_killed >= 1 && pool_full(brood) &&
		proc_workers(proc_supervisor(), workers, 2 * WORKERS) == WORKERS;
}

static void nothing_to_do_with(const struct brood_pool_options *pool)
{
	struct brood_options options = { .workers = WORKERS,
		.spawn = BROOD_SPAWN_CLONE3, /* with a spawner */
		.log = silent,
		.flags = BROOD_NO_CORE,
		.pools = &pool,
		.pools_count = pool != NULL };
	struct brood *brood = pool_start(&options);
	pid_t engine = getpid(), child;
	int ends[2], status;

	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(POOL_CALL(brood, job_crash).outcome, BROOD_CRASHED);
	CHECK_EQ(POOL_CALL(brood, job_leaves_a_child).outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && settled(brood), 20000));
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		close(ends[0]);
		measure(engine);
		_exit(0);
	}
	close(ends[1]);
	sleep_in_poll(brood, ends[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	pool_stop(brood);
}

static void nothing_to_do(void) { nothing_to_do_with(NULL); }

/* An elastic pool that is as small as it may be asks for nothing, either. */
static void elastic_with_nothing_to_do(void)
{
	nothing_to_do_with(&(struct brood_pool_options){ .size = sizeof(struct brood_pool_options),
		.name = "main",
		.scaling = BROOD_ELASTIC,
		.workers = 2 * WORKERS,
		.workers_min = WORKERS,
		.idle_ms = 500 });
}

Test(idle, elastic_pool) { case_run(elastic_with_nothing_to_do, 80000); }
Test(idle, nobody_wakes_up) { case_run(nothing_to_do, 80000); }
