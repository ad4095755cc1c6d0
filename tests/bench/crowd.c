/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - thousands of workers: how long they take to be born, what memory they take, how soon
 * the first of many jobs on a fresh queue has its verdict, what one death costs, how long the pool
 * takes to be full again when all workers were killed, and how long until all processes are gone
 * when the supervisor was killed, and how long a stop takes. Beside the memory and that end: as
 * many processes that only sleep, and end by PDEATHSIG when their parent is killed.
 *
 * A pool can be started once in a process, and here it has a bad end. So each block is a trial in
 * a process of its own, whose engine sends the figures back. The station is the subreaper of all
 * processes of the trial: they are gone when it has no child left.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_MS   110000 /* less than run.c waits for a block */
#define HEALTHY_MS 1200   /* a worker that is killed later did not die young */
#define JOBS       4096u
#define DEATHS     20u

struct memory {
	uint64_t slab_kb, all_kb;
};
struct trial {
	uint32_t workers;
	double values[VALUES_MAX];
};

static struct brood *brood;

static struct brood_stats look(void)
{
	struct brood_stats stats;

	if (brood_stats(brood, &stats))
		station_fail("brood_stats: %s", brood_error());
	return stats;
}

static double us_since(uint64_t ns) { return (double)(now_ns() - ns) / 1000; }

/*
 * What the kernel has for processes: their own pages, page tables, stacks, and objects. The slab
 * alone is told, too.
 */
static struct memory memory_of_machine(void)
{
	static const char *const names[] = {
		"Slab:", "AnonPages:", "PageTables:", "KernelStack:", "Shmem:"
	};
	FILE *file = fopen("/proc/meminfo", "re");
	struct memory memory = { 0 };
	unsigned long long kb;
	char name[64];

	station_need(file != NULL, "/proc/meminfo");
	while (fscanf(file, "%63s %llu%*[^\n]", name, &kb) == 2) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			if (strcmp(name, names[i]) == 0)
				memory.all_kb += kb;
		}
		if (strcmp(name, names[0]) == 0)
			memory.slab_kb = kb;
	}
	fclose(file);
	return memory;
}

static double kb_each(uint64_t before, uint64_t after, uint32_t workers)
{
	return ((double)after - (double)before) / workers;
}

/* ---- in the engine of a trial ---- */

static void watch_births(struct trial *t, uint64_t began_ns)
{
	double fifths[5] = { 0 };
	uint32_t fifth = 0;

	while ((t->workers = look().workers) == 0)
		poll(NULL, 0, 1); /* the supervisor has not begun */
	while (fifth < 5) {
		uint32_t ready = look().ready;

		if (us_since(began_ns) > TRIAL_MS * 1000.0)
			station_fail("only %u of %u workers were ready in time", ready, t->workers);
		for (; fifth < 5 && ready >= t->workers * (fifth + 1) / 5; fifth++)
			fifths[fifth] = us_since(began_ns);
		if (fifth < 5)
			poll(NULL, 0, 1);
	}
	t->values[READY] = fifths[4] / t->workers;
	t->values[FIRST_FIFTH] = fifths[0];
	t->values[LAST_FIFTH] = fifths[4] - fifths[3];
}

static int job_nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}

/* The time until the first verdict of many jobs, of which each is given as if it were the last. */
static double first_verdict(void)
{
	const struct brood_result *results[64];
	struct brood_job_options job = { .size = sizeof job };
	struct brood_queue *queue;
	uint64_t began = now_ns();
	uint32_t left = JOBS;
	double first = 0;

	if (brood_queue_new(brood, NULL, &queue))
		station_fail("brood_queue_new: %s", brood_error());
	job.queue = queue;
	for (uint32_t i = 0; i < JOBS; i++)
		if (brood_submit(brood, job_nothing, NULL, 0, &job, NULL))
			station_fail("brood_submit: %s", brood_error());
	while (left) {
		int count = brood_take(queue, results, 64);

		if (count > 0 && first == 0)
			first = us_since(began);
		if (!count && brood_queue_wait(queue, 30000) <= 0)
			station_fail("brood_queue_wait: %s", brood_error());
		for (int i = 0; i < count; i++)
			pool_check(&results[i]->verdict, results[i]->verdict.id, 0);
		left -= count > 0 ? (uint32_t)count : 0;
	}
	brood_queue_free(queue);
	return first;
}

/* Until all workers are idle, and each would be missed as a healthy one. */
static void settle(const struct trial *t)
{
	uint64_t began = now_ns();

	while (look().idle < t->workers) {
		if (us_since(began) > 30e6)
			station_fail("the pool does not come to rest");
		brood_dispatch(brood);
		poll(NULL, 0, 10);
	}
	poll(NULL, 0, HEALTHY_MS);
}

/* Kills these workers. Returns the time until others have taken their places. */
static double replace(const struct trial *t, const pid_t *pids, uint32_t count)
{
	uint64_t before = look().spawned, began = now_ns();
	struct brood_stats stats;

	for (uint32_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	while ((stats = look()).spawned < before + count || stats.ready < t->workers) {
		if (us_since(began) > TRIAL_MS * 1000.0)
			station_fail(
				"only %u of %u workers are ready again", stats.ready, t->workers);
		if (count == 1)
			sched_yield();
		else
			poll(NULL, 0, 1);
	}
	return us_since(began);
}

static int by_size(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static void kill_workers(struct trial *t)
{
	static struct tree tree;
	double took[DEATHS];

	settle(t);
	tree_workers(&tree, getppid());
	if (tree.count != t->workers)
		station_fail("%u workers were found, not %u", tree.count, t->workers);
	for (uint32_t i = 0; i < DEATHS; i++)
		took[i] = replace(t, &tree.pids[i], 1);
	qsort(took, DEATHS, sizeof *took, by_size);
	t->values[DEATH] = took[DEATHS / 2];
	settle(t);
	tree_workers(&tree, getppid());
	t->values[FULL] = replace(t, tree.pids, tree.count) / t->workers;
}

static double stop(const struct trial *t)
{
	uint64_t began = now_ns();

	if (brood_stop(brood))
		station_fail("brood_stop: %s", brood_error());
	return us_since(began) / t->workers;
}

static void nothing(void *context, const struct brood_log *log) { (void)context, (void)log; }

typedef void trial_fn(const struct params *p, int answer_fd);

static void run_trial(const struct params *p, int answer_fd)
{
	const struct brood_options o = { .log = nothing };
	struct memory before = memory_of_machine(), after;
	struct trial t = { 0 };
	uint64_t began_ns;

	brood = pool_begin(p, &o, &began_ns);
	watch_births(&t, began_ns);
	after = memory_of_machine();
	t.values[SLAB_KB] = kb_each(before.slab_kb, after.slab_kb, t.workers);
	t.values[ALL_KB] = kb_each(before.all_kb, after.all_kb, t.workers);
	t.values[FIRST_VERDICT] = first_verdict();
	kill_workers(&t);
	station_need(write(answer_fd, &t, sizeof t) == (ssize_t)sizeof t, "write");
	for (;;) /* until the supervisor is killed */
		pause();
}

static void run_stop(const struct params *p, int answer_fd)
{
	const struct brood_options o = { .log = nothing };
	struct trial t = { 0 };

	brood = pool_start(p, &o);
	t.workers = look().workers;
	t.values[STOP] = stop(&t);
	station_need(write(answer_fd, &t, sizeof t) == (ssize_t)sizeof t, "write");
	_exit(0);
}

/* Sleepers with PDEATHSIG, and nothing else: what the kernel takes to end them. */
static void run_bare(const struct params *p, int answer_fd)
{
	struct memory before = memory_of_machine(), after;
	struct trial t = { .workers = p->workers };
	pid_t parent = getpid(), pid;
	char ready;
	int fds[2];

	station_need(!pipe(fds), "pipe");
	for (uint32_t i = 0; i < p->workers; i++) {
		pid = fork();
		station_need(pid >= 0, "fork");
		if (pid > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	for (uint32_t i = 0; i < p->workers; i++)
		station_need(read(fds[0], &ready, 1) == 1, "read");
	after = memory_of_machine();
	t.values[BARE_SLAB_KB] = kb_each(before.slab_kb, after.slab_kb, t.workers);
	t.values[BARE_ALL_KB] = kb_each(before.all_kb, after.all_kb, t.workers);
	station_need(write(answer_fd, &t, sizeof t) == (ssize_t)sizeof t, "write");
	for (;;)
		pause();
}

/* ---- in the station ---- */

static void crowd_open(const struct params *p)
{
	(void)p;
	station_need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
}

static pid_t begin(trial_fn *run, const struct params *p, int *ret_fd)
{
	pid_t station = getpid(), pid;
	int fds[2];

	station_need(!pipe(fds), "pipe");
	pid = fork();
	station_need(pid >= 0, "fork");
	if (pid == 0) {
		close(fds[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != station)
			_exit(1);
		run(p, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

/* Adds the figures of one trial. Returns the time until nothing was left of it, us a worker. */
static double try(trial_fn *run, const struct params *p, struct trial *all)
{
	struct trial t;
	uint64_t began;
	int fd;
	pid_t pid = begin(run, p, &fd);
	ssize_t n = read(fd, &t, sizeof t);

	close(fd);
	began = now_ns();
	kill(pid, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	if (n != (ssize_t)sizeof t)
		station_fail("a trial has no figures");
	all->workers = t.workers;
	for (int i = 0; i < VALUES_MAX; i++)
		all->values[i] += t.values[i];
	return us_since(began) / t.workers;
}

static void crowd_block(const struct params *p, uint32_t jobs, double *values)
{
	struct params bare = *p;
	struct trial t = { 0 };

	(void)jobs;
	t.values[GONE] = try(run_trial, p, &t);
	bare.workers = t.workers;
	t.values[BARE_GONE] = try(run_bare, &bare, &t);
	try(run_stop, p, &t);
	if (t.workers < p->workers)
		station_note("%u workers: the limit on open files allows no more", t.workers);
	memcpy(values, t.values, sizeof t.values);
}

const struct kind bench_crowd = { crowd_open, crowd_block, NULL };
