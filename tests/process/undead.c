/* SPDX-License-Identifier: MIT */
/*
 * undead.c - workers that were killed and do not end. Here a process that traces them holds them at
 * their exit, which is what a disk or a server that does not answer does elsewhere; it lets them go
 * when the case says so.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../kernel/kernel.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(undead, .timeout = 180);

#define HELD_MAX 8
#define RUN_MS   1000 /* a worker is held long before that */
static struct brood *brood;
static struct {
	atomic_int pid;
	atomic_uint undead_lines;
} * shared;
static struct {
	pid_t holder, worker;
	int release;
} held[HELD_MAX];
static int held_count;

static void note_lines(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->event == BROOD_EVENT_UNDEAD)
		atomic_fetch_add(&shared->undead_lines, 1);
	note("log: %s", log->text);
}

static void begin(uint32_t workers)
{
	struct brood_options options = { .workers = workers,
		.grace_ms = 30,
		.drain_ms = 300,
		.stop_ms = 300,
		.log = note_lines };

	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	brood = pool_start(&options);
}

/* ---- who holds a worker ---- */

static int waits(struct brood_job *job)
{
	(void)job;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	atomic_store(&shared->pid, getpid());
	for (;;)
		pause();
	return 0;
}

static void __attribute__((noreturn)) trace(pid_t worker, int ready, int release)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_SEIZE, worker, 0L, (long)PTRACE_O_TRACEEXIT) < 0 ||
		write(ready, "x", 1) != 1)
		_exit(1);
	if (read(release, &c, 1) < 0)
		_exit(2);
	_exit(0);
}

static void hold(pid_t worker)
{
	int ready[2], release[2];
	char c;
	pid_t pid;

	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(pipe(release), 0);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		close(release[1]);
		for (int i = 0; i < held_count; i++)
			close(held[i].release);
		trace(worker, ready[1], release[0]);
	}
	close(ready[1]);
	close(release[0]);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	held[held_count].holder = pid;
	held[held_count].worker = worker;
	held[held_count++].release = release[1];
}

static void let_go(void)
{
	for (int i = 0; i < held_count; i++) {
		close(held[i].release);
		CHECK_EQ(waitpid(held[i].holder, NULL, 0), held[i].holder);
		CHECK(proc_wait_gone(held[i].worker, 10000));
	}
	held_count = 0;
}

static bool job_is_in(void)
{
	brood_dispatch(brood);
	return atomic_load(&shared->pid) != 0;
}

/* A job in a worker that will not end. */
static struct brood_handle *give_held(const struct brood_job_options *options, int *ret_fd)
{
	struct brood_handle *handle;

	atomic_store(&shared->pid, 0);
	CHECK_EQ(brood_open(brood, waits, options, ret_fd, &handle), 0);
	CHECK(WAIT_UNTIL(job_is_in(), 10000));
	hold(atomic_load(&shared->pid));
	return handle;
}

static struct brood_verdict verdict_of(struct brood_handle *handle, int fd)
{
	struct brood_verdict v;

	CHECK_EQ(brood_wait(handle, (uint32_t)test_scaled(10000), &v), 0);
	brood_release(handle);
	close(fd);
	return v;
}

/* Its deadline kills it; or a cancel, before which the worker is held on the slowest machine. */
static struct brood_verdict run_held(uint32_t path, enum brood_outcome outcome)
{
	struct brood_job_options options = { .size = sizeof options,
		.dispatch = path,
		.run_ms = outcome == BROOD_TIMED_OUT ? RUN_MS : BROOD_FOREVER,
		.retries = 3 };
	int fd;
	struct brood_handle *handle = give_held(&options, &fd);

	if (outcome == BROOD_CANCELLED)
		CHECK_EQ(brood_cancel(brood, brood_id(handle)), 0);
	return verdict_of(handle, fd);
}

static void does_not_end(const struct brood_verdict *v, enum brood_outcome outcome)
{
	char line[512];

	brood_verdict_format(v, line, sizeof line);
	CHECK_MSG(v->outcome == outcome && v->signal == 0 && v->started && v->attempts == 1, "%s",
		line);
	CHECK_EQ(v->pid, held[held_count - 1].worker);
	CHECK(proc_alive(v->pid));
	CHECK_GE(v->run_us, 1000000);
}

static bool all_is_well(void) { return pool_full(brood) && pool_stats(brood).undead == 0; }

/* ---- one at a time, on each path ---- */

/* Programs outside see what the undead worker had to do, and on which path. */
static bool is_shown(const struct brood_verdict *v)
{
	struct brood_worker_info infos[8];
	int n = brood_workers(brood_pool(brood, NULL), infos, sizeof infos[0], 8);

	for (int i = 0; i < n; i++)
		if (infos[i].pid == v->pid)
			return infos[i].state == BROOD_WORKER_UNDEAD && infos[i].job == v->id &&
				strcmp(infos[i].name, "waits") == 0 && infos[i].path == v->path;
	return false;
}

/*
 * Its place is out of use, and another one works for it; a job is never tried again; what it left
 * is used for nothing.
 */
static void one(uint32_t path)
{
	struct brood_verdict v = run_held(path, BROOD_TIMED_OUT);

	does_not_end(&v, BROOD_TIMED_OUT);
	CHECK_EQ(pool_stats(brood).undead, 1);
	CHECK_EQ(pool_stats(brood).degraded, 0);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK(WAIT_UNTIL(is_shown(&v), 10000));
	for (int i = 0; i < 20; i++) {
		struct brood_verdict other = POOL_CALL(brood, job_nothing);

		CHECK_EQ(other.outcome, BROOD_DONE);
		CHECK_NE(other.slot, v.slot);
	}
	CHECK_EQ(pool_stats(brood).undead, 1);
	let_go();
	CHECK(WAIT_UNTIL(all_is_well(), 10000));
}

static void one_each(void)
{
	begin(2);
	one(BROOD_PATH_HANDOFF);
	one(BROOD_PATH_LEASE);
	CHECK_EQ(pool_stats(brood).undead_ever, 2);
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_CRASHED], 0);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), atomic_load(&shared->undead_lines) == 4), 10000));
	pool_stop(brood);
}
Test(undead, one_on_each_path) { case_run(one_each, 60000); }

/* An explicit lease ends with its worker; jobs behind the one that cannot die were not begun. */
static void on_a_lease(void)
{
	struct brood_job_options job = { .size = sizeof job, .run_ms = RUN_MS };
	struct brood_handle *handle, *behind;
	struct brood_lease *lease;
	struct brood_verdict v;
	int fd, other;

	begin(1);
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	job.lease = lease;
	handle = give_held(&job, &fd);
	CHECK_EQ(brood_open(brood, job_nothing, &job, &other, &behind), 0);
	v = verdict_of(handle, fd);
	does_not_end(&v, BROOD_TIMED_OUT);
	v = verdict_of(behind, other);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_LEASE_OVER);
	CHECK(!v.started);
	brood_lease_end(lease);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	let_go();
	CHECK(WAIT_UNTIL(all_is_well(), 10000));
	pool_stop(brood);
}
Test(undead, explicit_lease) { case_run(on_a_lease, 60000); }

/* ---- more than there are spare places ---- */

static void too_many(void)
{
	struct brood_job_options options = { .size = sizeof options, .run_ms = 100 };
	struct brood_verdict v;

	begin(1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pool_stats(brood).degraded, 0);
		v = run_held(i % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF, BROOD_CANCELLED);
		does_not_end(&v, BROOD_CANCELLED);
		CHECK_EQ(pool_stats(brood).undead, (uint64_t)i + 1);
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).degraded, 5000));
	CHECK_EQ(pool_stats(brood).ready, 0);
	v = pool_call_with(brood, job_nothing, &options);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_DEGRADED);
	let_go();
	CHECK(WAIT_UNTIL(all_is_well(), 10000));
	CHECK_EQ(pool_stats(brood).degraded, 0);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(undead, more_than_spare_places) { case_run(too_many, 60000); }

/* Undead places hold up no reload: of two places one is left, and its worker is replaced there. */
static void reloaded(void)
{
	uint64_t id;

	begin(2);
	for (int i = 0; i < 3; i++)
		run_held(BROOD_PATH_HANDOFF, BROOD_CANCELLED);
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 1 && pool_stats(brood).starting == 0, 10000));
	CHECK_EQ(pool_stats(brood).undead, 3);
	CHECK_EQ(brood_reload(brood, NULL, &id), 0);
	CHECK_EQ(brood_reload_wait(brood, id, (uint32_t)test_scaled(10000)), 0);
	CHECK_EQ(pool_stats(brood).retired, 1);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	let_go();
	CHECK(WAIT_UNTIL(all_is_well(), 10000));
	CHECK_EQ(brood_reload(brood, NULL, &id), 0);
	CHECK_EQ(brood_reload_wait(brood, id, (uint32_t)test_scaled(10000)), 0);
	CHECK_EQ(pool_stats(brood).retired, 3);
	pool_stop(brood);
}
Test(undead, a_reload_goes_on_beside_them) { case_run(reloaded, 60000); }

/* ---- a tracer that is the job's own ---- */

/*
 * In a session of its own: the kill of the worker's group does not reach it. In the group: it does.
 */
static int is_traced(struct brood_job *job)
{
	int own_session = *(const int *)brood_job_arg(job, NULL), ready[2];
	pid_t me = getpid();
	char c;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (pipe(ready) < 0)
		return 1;
	if (fork() == 0) {
		if (own_session)
			setsid();
		if (ptrace(PTRACE_SEIZE, me, 0L, (long)PTRACE_O_TRACEEXIT) < 0 ||
			write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	return read(ready[0], &c, 1) == 1 ? (_exit(3), 0) : 2;
}

static void traces_itself(void)
{
	begin(2);
	for (int i = 0; i < 4; i++) {
		int own_session = i / 2;
		struct brood_job_options options = {
			.size = sizeof options,
			.run_ms = RUN_MS,
			.arg = &own_session,
			.arg_size = sizeof own_session,
			.dispatch = i % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF,
		};
		struct brood_verdict v = pool_call_with(brood, is_traced, &options);

		if (own_session)
			CHECK_EQ(v.outcome, BROOD_TIMED_OUT);
		else
			CHECK_MSG(v.outcome == BROOD_EXITED && v.code == 3, "%s",
				brood_outcome_name(v.outcome));
		CHECK(WAIT_UNTIL(all_is_well(), 10000));
	}
	CHECK_EQ(pool_stats(brood).undead_ever, 2);
	pool_stop(brood);
}
Test(undead, traced_by_its_own_child) { case_run(traces_itself, 60000); }

/* ---- a program of another user, which we may not signal: it has root's real uid, too ---- */

static char set_uid_dir[] = "/tmp/brood-set-uid-XXXXXX", set_uid_program[64];

static int becomes_roots(struct brood_job *job)
{
	(void)job;
	execl(set_uid_program, "setpriv", "--reuid=0", "--clear-groups", "sleep", "8",
		(char *)NULL);
	return 99;
}

static void set_uid(void)
{
	struct brood_verdict v;

	become_nobody();
	begin(1);
	for (uint32_t path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_job_options options = {
			.size = sizeof options, .run_ms = RUN_MS, .dispatch = path
		};

		v = pool_call_with(brood, becomes_roots, &options);
		CHECK_MSG(v.outcome == BROOD_TIMED_OUT && v.signal == 0, "%s, code %d, signal %d",
			brood_outcome_name(v.outcome), v.code, v.signal);
		CHECK(proc_alive(v.pid));
		CHECK_EQ(pool_stats(brood).undead, path == BROOD_PATH_HANDOFF ? 1 : 2);
		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	}
	CHECK(WAIT_UNTIL(all_is_well(), 20000));
	pool_stop(brood);
}

Test(undead, set_uid_program)
{
	char command[256];

	if (geteuid() != 0 || system("command -v setpriv >/dev/null") != 0 || !mkdtemp(set_uid_dir))
		cr_skip_test("not root, or no setpriv");
	snprintf(set_uid_program, sizeof set_uid_program, "%s/setpriv", set_uid_dir);
	snprintf(command, sizeof command,
		"cp \"$(command -v setpriv)\" %s && chmod 4755 %s && chmod 755 %s", set_uid_program,
		set_uid_program, set_uid_dir);
	if (system(command) == 0)
		case_run(set_uid, 60000);
	unlink(set_uid_program);
	rmdir(set_uid_dir);
}

/* ---- the stop ---- */

static void stops(void)
{
	struct brood_job_options options = { .size = sizeof options, .run_ms = BROOD_FOREVER };
	struct brood_handle *handle;
	struct brood_verdict v;
	int fd;

	begin(2);
	handle = give_held(&options, &fd);
	CHECK_EQ(brood_stop(brood), -ETIMEDOUT);
	CHECK_CONTAINS(brood_error(), "did not end");
	CHECK_EQ(brood_fetch(handle, &v), 0);
	CHECK_EQ(v.outcome, BROOD_CANCELLED);
	CHECK_EQ(v.detail, BROOD_DETAIL_STOPPED);
	CHECK(proc_alive(v.pid));
	brood_release(handle);
	close(fd);
	let_go();
}
Test(undead, the_stop_says_so) { case_run(stops, 60000); }
