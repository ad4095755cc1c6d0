/* SPDX-License-Identifier: MIT */
/*
 * cgroups.c - a brood in a cgroup that was delegated to it: who is in which cgroup, whatever way
 * workers are made; what is killed there, also where neither /proc nor a mark tells of a process;
 * that nothing is left of it; and that a cgroup which is not ours stays as it is.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../helpers/delegation.h"
#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(cgroups, .timeout = 180);

#define SOON_MS  10000
#define CHILDREN 50

static struct brood *brood;
static int lines;
static char last_line[512];

static void count_lines(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	if (log->event != BROOD_EVENT_RESOURCE)
		return;
	lines++;
	snprintf(last_line, sizeof last_line, "%s", log->text);
}

static void run(void (*body)(void))
{
	delegation_make();
	case_run(body, 60000);
	delegation_remove();
}

static void run_with(void (*body)(void *context), void *context)
{
	delegation_make();
	case_run_with(body, context, 60000);
	delegation_remove();
}

/* ---- who is where ---- */

static const enum brood_spawn ways[] = { BROOD_SPAWN_AUTO, BROOD_SPAWN_CLONE3, BROOD_SPAWN_CLONE,
	BROOD_SPAWN_FORK };

/* below: each worker has a cgroup below the pool's. */
static void all_in_place(uint32_t workers, bool below)
{
	pid_t pids[64], supervisor = proc_supervisor();
	char fds[8192], place[64];
	int n = proc_workers(supervisor, pids, 64);

	CHECK_EQ(n, workers);
	for (int i = 0; i < n; i++) {
		snprintf(place, sizeof place, "brood-pool-main/%d.", proc_worker_slot(pids[i]));
		if (below)
			CHECK_CONTAINS(delegation_of(pids[i]), place);
		else
			CHECK_STR(delegation_of(pids[i]), "brood-pool-main");
		/* a worker that had a cgroup's folder open could let its jobs out */
		CHECK(!strstr(proc_fd_list(pids[i], fds, sizeof fds), "brood-"));
	}
	CHECK_EQ(delegation_count("brood-pool-main"), below ? 0 : n);
}

static void kill_one(void)
{
	uint64_t spawned = pool_stats(brood).spawned;
	pid_t pids[64];

	CHECK_GT(proc_workers(proc_supervisor(), pids, 64), 0);
	CHECK_EQ(kill(pids[0], SIGKILL), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).spawned > spawned && pool_full(brood), SOON_MS));
}

static void placed(const struct brood_options *options)
{
	const bool below = options->flags & BROOD_WORKER_CGROUPS;
	pid_t supervisor;

	delegation_enter(true);
	brood = pool_start(options);
	supervisor = proc_supervisor();
	CHECK_EQ(delegation_count(""), 0);
	CHECK_STR(delegation_of(supervisor), "brood-supervisor");
	CHECK_STR(delegation_of(getpid()), "brood-supervisor");
	CHECK(WAIT_UNTIL(proc_guard(supervisor) > 0, SOON_MS)); /* until it has its title */
	CHECK_STR(delegation_of(proc_guard(supervisor)), "brood-supervisor");
	if (proc_spawner(supervisor) > 0)
		CHECK_STR(delegation_of(proc_spawner(supervisor)), "brood-supervisor");
	all_in_place(options->workers, below);
	kill_one();
	all_in_place(options->workers, below);
	CHECK_EQ(pool_ask_pid(brood) > 0, true);
	pool_stop(brood);
	CHECK(!delegation_has("brood-pool-main"));
	CHECK_EQ(lines, 0);
}

static void placed_by(void *way)
{
	struct brood_options options = {
		.workers = 3, .spawn = *(enum brood_spawn *)way, .log = count_lines
	};

	placed(&options);
}
Test(cgroups, whoever_makes_them_workers_are_in_the_pools_own)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		enum brood_spawn way = ways[i];

		run_with(placed_by, &way);
	}
}

static void placed_below_by(void *way)
{
	struct brood_options options = { .workers = 3,
		.spawn = *(enum brood_spawn *)way,
		.flags = BROOD_WORKER_CGROUPS,
		.log = count_lines };

	placed(&options);
}
Test(cgroups, or_each_in_one_of_its_own)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		enum brood_spawn way = ways[i];

		run_with(placed_below_by, &way);
	}
}

/* ---- what jobs leave ---- */

struct family {
	_Atomic pid_t children[CHILDREN];
	_Atomic pid_t supervisor, worker;
};
static struct family *family(void) { return case_shared(); }

static bool all_born(void)
{
	for (int i = 0; i < CHILDREN; i++)
		if (family()->children[i] == 0)
			return false;
	return true;
}

static bool all_gone(void)
{
	for (int i = 0; i < CHILDREN; i++)
		if (kill(family()->children[i], 0) == 0 || errno != ESRCH)
			return false;
	return true;
}

/* Starts children, each in a session of its own. */
static int starts_children(struct brood_job *job)
{
	(void)job;
	family()->worker = getpid();
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() != 0)
			continue;
		setsid();
		family()->children[i] = getpid();
		for (;;)
			pause();
	}
	while (!all_born())
		usleep(1000);
	return 0;
}

static int starts_children_and_stays(struct brood_job *job)
{
	starts_children(job);
	return job_sleep_forever(job);
}

/* From now on /proc shows nothing. */
static void hide_proc(void) { CHECK_EQ(mount("none", "/proc", "tmpfs", 0, NULL), 0); }

/*
 * Processes get no mark (os/mark.h), and the supervisor cannot see its children: only the cgroup
 * tells of what a job has left.
 */
static void begin_blind(const struct brood_options *options)
{
	const struct rlimit none = { 0, 0 };

	CHECK_EQ(unshare(CLONE_NEWNS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(setrlimit(RLIMIT_LOCKS, &none), 0);
	delegation_enter(true);
	brood = pool_start(options);
	hide_proc();
}

static void left_at_the_stop(void)
{
	struct brood_options options = {
		.workers = 2, .tolerate = BROOD_LEFT_CHILDREN, .log = count_lines
	};
	struct brood_verdict v;

	begin_blind(&options);
	v = POOL_CALL(brood, starts_children);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK(!all_gone());
	pool_stop(brood);
	CHECK(all_gone());
	CHECK(!delegation_has("brood-pool-main"));
}
Test(cgroups, without_proc_a_stop_leaves_none_of_50_children) { run(left_at_the_stop); }

/* A worker that was killed takes along what its job has started, at once. */
static void left_by_a_worker(void)
{
	struct brood_options options = {
		.workers = 2, .flags = BROOD_WORKER_CGROUPS, .log = count_lines
	};
	struct brood_handle *handle;
	int fd;

	begin_blind(&options);
	CHECK_EQ(brood_open(brood, starts_children_and_stays, NULL, &fd, &handle), 0);
	CHECK(WAIT_UNTIL(all_born(), SOON_MS));
	CHECK_EQ(kill(family()->worker, SIGKILL), 0);
	CHECK(WAIT_UNTIL(all_gone(), SOON_MS));
	CHECK(WAIT_UNTIL(pool_stats(brood).spawned == 3 && pool_full(brood), SOON_MS));
	close(fd);
	brood_release(handle);
	pool_stop(brood);
}
Test(cgroups, without_proc_a_worker_of_its_own_cgroup_leaves_none) { run(left_by_a_worker); }

static void supervisor_killed(void)
{
	struct brood_options options = { .workers = 2, .log = count_lines };
	struct brood_handle *handle;
	int fd;

	family()->supervisor = getpid();
	begin_blind(&options);
	CHECK_EQ(brood_open(brood, starts_children_and_stays, NULL, &fd, &handle), 0);
	case_done();
	for (;;)
		pause();
}

static void kills_supervisor(pid_t pid)
{
	(void)pid;
	CHECK(WAIT_UNTIL(family()->supervisor && all_born(), SOON_MS));
	CHECK_EQ(kill(family()->supervisor, SIGKILL), 0);
	CHECK(WAIT_UNTIL(delegation_count("brood-pool-main") == 0, SOON_MS));
}
Test(cgroups, without_proc_a_killed_supervisor_leaves_none)
{
	struct case_options options = {
		.body = supervisor_killed, .outside = kills_supervisor, .timeout_ms = 40000
	};

	delegation_make();
	CHECK_EQ(case_orphaned(&options), SIGKILL);
	delegation_sweep();
}

/* ---- what is there already ---- */

static pid_t sleeper_in(const char *leaf)
{
	char procs[64];
	pid_t pid;
	FILE *f;

	snprintf(procs, sizeof procs, "%s%scgroup.procs", leaf, *leaf ? "/" : "");
	pid = fork();
	if (pid == 0) {
		f = fopen(delegation_path(procs), "we");
		if (!f || fputs("0", f) < 0 || fclose(f) != 0)
			_exit(99);
		for (;;)
			pause();
	}
	CHECK(WAIT_UNTIL(strcmp(delegation_of(pid), leaf) == 0, SOON_MS));
	return pid;
}

static void end_sleeper(pid_t pid)
{
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK(proc_wait_gone(pid, SOON_MS)); /* its parent is the supervisor, which reaps it */
}

/* What a killed predecessor left is killed and removed; a cgroup of somebody else stays. */
static void after_a_predecessor(void)
{
	struct brood_options options = { .workers = 1, .log = count_lines };
	pid_t pid;

	delegation_enter(true);
	CHECK_EQ(mkdir(delegation_path("brood-supervisor"), 0755), 0);
	CHECK_EQ(mkdir(delegation_path("brood-pool-old"), 0755), 0);
	CHECK_EQ(mkdir(delegation_path("brood-pool-old/3"), 0755), 0);
	CHECK_EQ(mkdir(delegation_path("others"), 0755), 0);
	pid = sleeper_in("brood-pool-old/3");
	brood = pool_start(&options);
	CHECK(WAIT_UNTIL(proc_state(pid) == 'Z' || proc_state(pid) == 0, SOON_MS));
	pool_stop(brood);
	CHECK(!delegation_has("brood-pool-old"));
	CHECK(delegation_has("others"));
	CHECK_EQ(rmdir(delegation_path("others")), 0);
}
Test(cgroups, what_a_predecessor_left_is_removed) { run(after_a_predecessor); }

/* ---- cgroups that are not ours ---- */

static void stays_where_it_is(const struct brood_options *options, int expected_lines)
{
	pid_t supervisor, pids[8];

	brood = pool_start(options);
	supervisor = proc_supervisor();
	CHECK_STR(delegation_of(supervisor), "");
	CHECK_STR(delegation_of(getpid()), "");
	CHECK_EQ(proc_workers(supervisor, pids, 8), 1);
	CHECK_STR(delegation_of(pids[0]), "");
	CHECK(!delegation_has("brood-supervisor"));
	pool_stop(brood);
	CHECK_EQ(lines, expected_lines);
}

static void not_delegated(void)
{
	struct brood_options options = { .workers = 1, .log = count_lines };

	delegation_enter(false);
	stays_where_it_is(&options, 0);
}
Test(cgroups, one_that_is_not_delegated_stays_as_it_is) { run(not_delegated); }

static void asked_for_in_vain(void)
{
	struct brood_options options = { .workers = 1,
		.flags = BROOD_WORKER_CGROUPS,
		.memory_max = 1 << 30,
		.tasks_max = 100,
		.log = count_lines };

	delegation_enter(false);
	stays_where_it_is(&options, 1);
	CHECK_CONTAINS(last_line, "memory_max has no effect, and all else works: the cgroup /");
	CHECK_CONTAINS(last_line, "write Delegate=memory pids into the systemd unit");
}
Test(cgroups, one_line_says_what_cannot_be_had) { run(asked_for_in_vain); }

static void others_are_there(void)
{
	struct brood_options options = {
		.workers = 1, .flags = BROOD_WORKER_CGROUPS, .log = count_lines
	};
	pid_t pid;

	delegation_enter(true);
	pid = sleeper_in("");
	stays_where_it_is(&options, 1);
	CHECK_CONTAINS(last_line, "other processes are in the cgroup /");
	end_sleeper(pid);
}
Test(cgroups, one_with_other_processes_stays_as_it_is) { run(others_are_there); }

static void told_not_to(void)
{
	struct brood_options options = {
		.workers = 1, .flags = BROOD_NO_CGROUPS, .log = count_lines
	};

	delegation_enter(true);
	stays_where_it_is(&options, 0);
}
Test(cgroups, none_is_taken_with_a_flag) { run(told_not_to); }

/* This machine may have no controllers: then one line for each limit says so. */
static void without_controllers(void)
{
	struct brood_options options = {
		.workers = 1, .memory_max = 1 << 30, .tasks_max = 100, .log = count_lines
	};
	char controllers[256] = "";
	FILE *f;

	delegation_enter(true);
	f = fopen(delegation_path("cgroup.controllers"), "re");
	CHECK(f);
	if (!fgets(controllers, sizeof controllers, f))
		controllers[0] = '\0';
	fclose(f);
	brood = pool_start(&options);
	pool_stop(brood);
	CHECK_EQ(lines, !strstr(controllers, "memory") + !strstr(controllers, "pids"));
	if (lines == 2)
		CHECK_CONTAINS(last_line, "has no controller \"pids\"");
}
Test(cgroups, limits_without_controllers_are_one_line_each) { run(without_controllers); }

/* ---- wrong values ---- */

static void refuses(const struct brood_options *options, const char *words)
{
	struct brood_options o = *options;

	o.size = sizeof o;
	REFUSES(brood_start(&o, &brood), -EINVAL, words);
}

static void wrong_values(void)
{
	refuses(&(struct brood_options){ .memory_max = 4095 },
		"options.memory_max is 4095: bytes, at least 4096, or 0 for no limit");
	refuses(&(struct brood_options){ .tasks_max = UINT32_MAX },
		"options.tasks_max is 4294967295: at most 4194304, or 0 for no limit");
	refuses(&(struct brood_options){ .flags = BROOD_NO_CGROUPS, .tasks_max = 9 },
		"options.tasks_max needs a cgroup, but options.flags has BROOD_NO_CGROUPS");
	refuses(&(struct brood_options){ .flags = BROOD_NO_CGROUPS | BROOD_WORKER_CGROUPS },
		"options.BROOD_WORKER_CGROUPS needs a cgroup");
}
Test(cgroups, wrong_values_are_refused) { case_run(wrong_values, 20000); }
