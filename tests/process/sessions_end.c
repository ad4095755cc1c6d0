/* SPDX-License-Identifier: MIT */
/*
 * sessions_end.c - law 3 with a replaced spawner: two of supervisor, engine, guard, spawner and a
 * worker are killed at once, while jobs of two sessions have children in groups and sessions of
 * their own.
 */
#include "sessions.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(sessions_end, .timeout = 300);

/* ---- what jobs have started ---- */

/* NO_MARK: a group of its own, and without the mark. Its session alone tells whose it is. */
enum kind {
	PLAIN,
	GROUP,
	SESSION,
	OTHERS_GROUP,
	DOUBLE_FORK,
	DOUBLE_GROUP,
	DOUBLE_SESSION,
	NO_MARK,
	KINDS
};
#define PLACES 2 /* workers with such a job: one of a former spawner, one of the present one */

struct scene {
	_Atomic pid_t supervisor, engine, guard, spawner;
	_Atomic pid_t workers[PLACES], strays[PLACES][KINDS];
	_Atomic pid_t others; /* the worker whose group is lent */
};
static struct scene *scene(void) { return case_shared(); }

static void __attribute__((noreturn)) sleeps(void)
{
	for (;;)
		pause();
}

static void __attribute__((noreturn)) stray(int place, enum kind kind)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	if (kind >= DOUBLE_FORK && fork() != 0)
		_exit(0);
	if (kind == GROUP || kind == DOUBLE_GROUP || kind == NO_MARK)
		setpgid(0, 0);
	if (kind == SESSION || kind == DOUBLE_SESSION)
		setsid();
	if (kind == OTHERS_GROUP)
		setpgid(0, scene()->others);
	if (kind == NO_MARK)
		setrlimit(RLIMIT_LOCKS, &none);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	scene()->strays[place][kind] = getpid();
	sleeps();
}

static bool all_there(int place)
{
	for (int kind = 0; kind < KINDS; kind++)
		if (scene()->strays[place][kind] == 0)
			return false;
	return true;
}

static int __attribute__((noreturn)) has_strays(struct brood_job *job)
{
	const int place = *(const int *)brood_job_arg(job, NULL);

	for (int kind = 0; kind < KINDS; kind++)
		if (fork() == 0)
			stray(place, (enum kind)kind);
	scene()->workers[place] = getpid();
	sleeps();
}

static int __attribute__((noreturn)) lends_group(struct brood_job *job)
{
	(void)job;
	scene()->others = getpid();
	sleeps();
}

static void open_job(brood_fn *fn, int place)
{
	struct brood_job_options options = {
		.size = sizeof options, .arg = &place, .arg_size = sizeof place
	};
	int fd;

	CHECK_EQ(brood_open(brood, fn, &options, &fd, NULL), 0);
}

/*
 * Three workers: one of the first spawner has a job, and so has one of the second. In the group of
 * the third, which is the first spawner's, is a process of the first job.
 */
static void set_scene(void)
{
	struct scene *s = scene();
	pid_t workers[8];

	start(3);
	open_job(lends_group, 0);
	CHECK(WAIT_UNTIL(s->others != 0, SOON_MS));
	open_job(has_strays, 0);
	CHECK(WAIT_UNTIL(all_there(0), SOON_MS));
	replace_spawner();
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 8), 3);
	for (int i = 0; i < 3; i++)
		if (workers[i] != s->others && workers[i] != s->workers[0])
			replace_worker(workers[i]);
	open_job(has_strays, 1);
	CHECK(WAIT_UNTIL(all_there(1), SOON_MS));
	CHECK_EQ(proc_group(s->strays[0][OTHERS_GROUP]), s->others);
	CHECK_NE(proc_session(s->workers[1]), proc_session(s->workers[0]));
	case_done();
	s->guard = proc_guard(proc_supervisor());
	s->spawner = spawner_of(proc_supervisor());
	s->engine = getpid();
	s->supervisor = proc_supervisor();
	sleeps();
}

static bool strays_gone(void)
{
	for (int place = 0; place < PLACES; place++)
		for (int kind = 0; kind < KINDS; kind++)
			if (proc_alive(scene()->strays[place][kind]))
				return false;
	return true;
}

enum victim { SUPERVISOR, ENGINE, GUARD, SPAWNER, WORKER, VICTIMS };
static enum victim first, second;

static void kill_victim(enum victim which)
{
	struct scene *s = scene();
	const pid_t pids[VICTIMS] = { s->supervisor, s->engine, s->guard, s->spawner,
		s->workers[1] };

	kill(pids[which], SIGKILL);
}

static bool is_victim(enum victim which) { return first == which || second == which; }

/* True: there is a guard, and a spawner, and neither is one that was killed. */
static bool replaced(void)
{
	pid_t guard = proc_guard(scene()->supervisor), spawner = proc_spawner(scene()->supervisor);

	return guard > 0 && spawner > 0 && (!is_victim(GUARD) || guard != scene()->guard) &&
		(!is_victim(SPAWNER) || spawner != scene()->spawner);
}

/* Where the pool goes on, its supervisor is killed later. */
static void kill_both(pid_t pid)
{
	(void)pid;
	CHECK(WAIT_UNTIL(scene()->supervisor != 0, 60000));
	kill_victim(first);
	kill_victim(second);
	if (!is_victim(SUPERVISOR) && !is_victim(ENGINE)) {
		CHECK(WAIT_UNTIL(replaced(), SOON_MS));
		kill_victim(SUPERVISOR);
	}
	CHECK(WAIT_UNTIL(strays_gone(), SOON_MS));
}

/*
 * Supervisor and guard together are left out: the processes that jobs started live on then
 * (README.md says so). What the pool itself has made ends in any case: see below.
 */
static void pair(enum victim a, enum victim b)
{
	struct case_options options = {
		.body = set_scene, .timeout_ms = 60000, .settle_ms = 2000, .outside = kill_both
	};
	struct case_result result;

	first = a;
	second = b;
	case_try(&options, &result);
	cr_assert(!result.expired && result.left == 0 && result.failures == 0 && result.done == 1,
		"%d, then %d: %d left; %s", a, b, result.left, result.text);
}

Test(sessions_end, two_killed_at_once)
{
	for (int a = 0; a < VICTIMS; a++)
		for (int b = 0; b < VICTIMS; b++)
			if (a != b && !(a == SUPERVISOR && b == GUARD) &&
				!(a == GUARD && b == SUPERVISOR))
				pair((enum victim)a, (enum victim)b);
}

/* ---- supervisor and guard: the pool's own processes end ---- */

static void busy(void)
{
	start(6);
	replace_spawner();
	for (int i = 0; i < 2; i++) {
		pid_t pid = pool_ask_pid(brood);

		replace_worker(pid);
	}
	case_done();
	scene()->guard = proc_guard(proc_supervisor());
	scene()->spawner = spawner_of(proc_supervisor());
	scene()->engine = getpid();
	scene()->supervisor = proc_supervisor();
	for (;;)
		POOL_CALL(brood, job_nothing);
}

static void kill_three(pid_t pid)
{
	(void)pid;
	CHECK(WAIT_UNTIL(scene()->supervisor != 0, 60000));
	kill_victim(first);
	kill_victim(SUPERVISOR);
	kill_victim(GUARD);
	kill_victim(second);
}

Test(sessions_end, guard_and_supervisor)
{
	for (int round = 0; round < 4; round++) {
		struct case_options options = {
			.body = busy, .timeout_ms = 60000, .settle_ms = 2000, .outside = kill_three
		};
		struct case_result result;

		first = round % 2 ? GUARD : SUPERVISOR;
		second = round / 2 ? SPAWNER : SUPERVISOR;
		case_try(&options, &result);
		cr_assert(!result.expired && result.left == 0 && result.failures == 0,
			"round %d: %d left; %s", round, result.left, result.text);
	}
}
