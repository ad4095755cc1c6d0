/* SPDX-License-Identifier: MIT */
/*
 * deadlines.c - a deadline is enforced, whatever a job has made of its worker: another program, or
 * a process without fds. On both paths. All jobs of a case run at once, because they take seconds.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../kernel/kernel.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

TestSuite(deadlines, .timeout = 120);

static struct brood *brood;
static atomic_uint *entered; /* jobs that have begun */
static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };

struct order {
	brood_fn *fn;
	uint32_t run_ms, grace_ms;
	bool cancel;  /* once it has begun */
	bool says_so; /* it writes a byte when it is the other program */
	struct brood_handle *handle;
	int fd;
	uint64_t began;
	struct brood_verdict v;
};

static void give(struct order *o, uint32_t path)
{
	struct brood_job_options options = { .size = sizeof options,
		.run_ms = o->run_ms,
		.grace_ms = o->grace_ms,
		.dispatch = path };

	o->began = test_now_ms();
	CHECK_EQ(brood_open_named(brood, o->fn, "job", &options, &o->fd, &o->handle), 0);
}

static void wait_for(struct order *o)
{
	CHECK_EQ(brood_wait(o->handle, (uint32_t)test_scaled(20000), &o->v), 0);
	brood_release(o->handle);
	close(o->fd);
}

static bool has_begun(size_t count)
{
	/* the library takes a lease that was granted */
	brood_dispatch(brood);
	return atomic_load(entered) >= count;
}

static void run_all(struct order *orders, size_t count, uint32_t path)
{
	char byte;

	atomic_store(entered, 0);
	for (size_t i = 0; i < count; i++) {
		give(&orders[i], path);
		CHECK(WAIT_UNTIL(has_begun(i + 1), 10000)); /* no job waits behind another */
		/* a soft step before the exec would be lost on it */
		if (orders[i].says_so)
			CHECK_EQ(read(orders[i].fd, &byte, 1), 1);
		if (orders[i].cancel)
			CHECK_EQ(brood_cancel(brood, brood_id(orders[i].handle)), 0);
	}
	for (size_t i = 0; i < count; i++)
		wait_for(&orders[i]);
}

static void expect(const struct order *o, enum brood_outcome outcome, int code, int signal)
{
	char line[512];

	brood_verdict_format(&o->v, line, sizeof line);
	CHECK_MSG(
		o->v.outcome == outcome && o->v.code == code && o->v.signal == signal, "%s", line);
	CHECK(o->v.started);
	CHECK_EQ(o->v.attempts, 1);
}

/* ---- what a job makes of its worker ---- */

static int become(const char *command)
{
	atomic_fetch_add(entered, 1);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return 99;
}
static int becomes_a_sleeper(struct brood_job *job)
{
	(void)job;
	return become("exec sleep 100");
}
static int says_it_sleeps(struct brood_job *job)
{
	return dup2(brood_job_fd(job), 1) == 1 ? become("echo; exec sleep 100") : 98;
}
static int becomes_a_deaf_one(struct brood_job *job)
{
	(void)job;
	return become("trap '' TERM; sleep 100; sleep 100");
}
static int becomes_one_that_exits(struct brood_job *job)
{
	(void)job;
	return become("sleep 2.6; exit 7");
}
static int becomes_one_that_obeys(struct brood_job *job)
{
	(void)job;
	return become("trap 'exit 8' TERM; while :; do sleep 0.1; done");
}

static void close_all(void)
{
	atomic_fetch_add(entered, 1);
	if (syscall(SYS_close_range, 0u, ~0u, 0u) < 0)
		for (int fd = 0; fd < 4096; fd++)
			close(fd);
}
static int closes_all_and_sleeps(struct brood_job *job)
{
	(void)job;
	close_all();
	for (;;)
		pause();
	return 0;
}
static int closes_all_and_exits(struct brood_job *job)
{
	(void)job;
	close_all();
	usleep(2600000);
	_exit(5);
	return 0;
}

/* ---- the cases ---- */

/*
 * A job that ends by itself may take longer than a worker without a channel otherwise has. A job
 * that does not end has its own time, and no more.
 */
static void without_a_channel(uint32_t path)
{
	struct order orders[] = {
		{ .fn = becomes_a_sleeper, .run_ms = 300, .grace_ms = 60000 },
		{ .fn = becomes_a_deaf_one, .run_ms = 300, .grace_ms = 100 },
		{ .fn = closes_all_and_sleeps, .run_ms = 300, .grace_ms = 100 },
		{ .fn = becomes_one_that_exits, .run_ms = 60000 },
		{ .fn = closes_all_and_exits, .run_ms = BROOD_FOREVER },
		{ .fn = becomes_one_that_obeys, .run_ms = 600, .grace_ms = 60000 },
		{ .fn = says_it_sleeps,
			.run_ms = 60000,
			.grace_ms = 60000,
			.cancel = true,
			.says_so = true },
		{ .fn = closes_all_and_sleeps, .run_ms = 60000, .grace_ms = 100, .cancel = true },
	};

	run_all(orders, sizeof orders / sizeof *orders, path);
	expect(&orders[0], BROOD_TIMED_OUT, 0, SIGTERM);
	expect(&orders[1], BROOD_TIMED_OUT, 0, SIGKILL);
	expect(&orders[2], BROOD_TIMED_OUT, 0, SIGKILL);
	expect(&orders[3], BROOD_EXITED, 7, 0);
	expect(&orders[4], BROOD_EXITED, 5, 0);
	expect(&orders[5], BROOD_EXITED, 8, 0);
	expect(&orders[6], BROOD_CANCELLED, 0, SIGTERM);
	expect(&orders[7], BROOD_CANCELLED, 0, SIGKILL);
	CHECK_LE(orders[0].v.run_us, (uint64_t)test_scaled(1500) * 1000);
	CHECK_LE(orders[2].v.run_us, (uint64_t)test_scaled(1500) * 1000);
	CHECK_GE(orders[3].v.run_us, 2600000);
}

static void channels(void)
{
	struct brood_options options = { .workers = 8, .log = note_log };

	entered = mmap(
		NULL, sizeof *entered, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	brood = pool_start(&options);
	for (size_t i = 0; i < 2; i++) {
		without_a_channel(paths[i]);
		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	}
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_CRASHED], 0);
	pool_stop(brood);
}
Test(deadlines, job_without_its_channel) { case_run(channels, 60000); }

/* ---- calls that a container's filter does not let through ---- */

static const struct {
	const char *name;
	long number;
} calls[] = {
	{ "clone3", SYS_clone3 },
	{ "pidfd_open", SYS_pidfd_open },
	{ "pidfd_send_signal", SYS_pidfd_send_signal },
	{ "close_range", SYS_close_range },
	{ "process_mrelease", SYS_process_mrelease },
	{ "rseq", SYS_rseq },
};
#define CALLS (sizeof calls / sizeof *calls)
/* call CALLS: all, and syscall user dispatch */
static struct {
	size_t call;
	int error;
} missing;

static void refuse_prctl(unsigned option, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	CHECK_EQ(prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program, 0L, 0L), 0);
}

static void refuse_them(void)
{
	for (size_t i = 0; i < CALLS; i++)
		if (missing.call == i || missing.call == CALLS)
			refuse_if(calls[i].number, 0, missing.error);
	if (missing.call == CALLS)
		refuse_prctl(PR_SET_SYSCALL_USER_DISPATCH, missing.error);
	note("%s answers %d", missing.call < CALLS ? calls[missing.call].name : "each of them",
		missing.error);
}

static int hangs(struct brood_job *job)
{
	(void)job;
	atomic_fetch_add(entered, 1);
	for (;;)
		pause();
	return 0;
}
static int ends_when_told(struct brood_job *job)
{
	atomic_fetch_add(entered, 1);
	while (!brood_job_cancelled(job))
		usleep(1000);
	return 42;
}

static void without_calls(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct order orders[] = {
		{ .fn = hangs, .run_ms = 100, .grace_ms = 30 },
		{ .fn = ends_when_told, .run_ms = 100, .grace_ms = BROOD_FOREVER },
	};

	refuse_them();
	entered = mmap(
		NULL, sizeof *entered, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	brood = pool_start(&options);
	for (size_t i = 0; i < 2; i++) {
		run_all(orders, 2, paths[i]);
		expect(&orders[0], BROOD_TIMED_OUT, 0, SIGKILL);
		expect(&orders[1], BROOD_FAILED, 42, 0);
		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	}
	pool_stop(brood);
}

Test(deadlines, missing_calls)
{
	NEEDS_FILTERS();
	for (missing.call = 0; missing.call <= CALLS; missing.call++)
		for (int i = 0; i < 2; i++) {
			missing.error = i ? ENOSYS : EPERM;
			case_run(without_calls, 20000);
		}
}

/* ---- a real-time policy ---- */

static int policy_of_the_worker(struct brood_job *job)
{
	(void)job;
	return sched_getscheduler(0);
}
static int spins(struct brood_job *job)
{
	(void)job;
	volatile unsigned i = 0;
	for (;;)
		i++;
	return 0;
}

/* All on one CPU: a worker with the supervisor's policy would not let it run. */
static void real_time(void)
{
	struct sched_param priority = { .sched_priority = 10 };
	struct brood_options options = { .workers = 2, .log = note_log };
	struct order spinner = { .fn = spins, .run_ms = 100, .grace_ms = 30 };
	cpu_set_t all, one;
	int cpu = 0;

	CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &priority), 0);
	brood = pool_start(&options);
	CHECK_EQ(sched_getscheduler(0), SCHED_FIFO);
	CHECK_EQ(sched_getscheduler(proc_supervisor()), SCHED_FIFO);
	for (size_t i = 0; i < 2; i++) {
		struct brood_job_options path = { .size = sizeof path, .dispatch = paths[i] };
		struct brood_verdict v;

		CHECK_EQ(brood_call(brood, policy_of_the_worker, "", 0, NULL, 0, &path, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE); /* SCHED_OTHER is 0 */
		give(&spinner, paths[i]);
		wait_for(&spinner);
		expect(&spinner, BROOD_TIMED_OUT, 0, SIGKILL);
	}
	pool_stop(brood);
}
Test(deadlines, real_time_policy)
{
	struct sched_param priority = { .sched_priority = 10 }, none = { 0 };

	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		cr_skip_test("no right to a real-time policy");
	sched_setscheduler(0, SCHED_OTHER, &none);
	case_run(real_time, 20000);
}

/* ---- told to end: the verdict says so ---- */

static int deaf(struct brood_job *job)
{
	(void)job;
	return hangs(job);
}
static int knows_and_stays(struct brood_job *job)
{
	atomic_fetch_add(entered, 1);
	for (;;) {
		brood_job_cancelled(job);
		usleep(1000);
	}
	return 0;
}
static int has_its_time(struct brood_job *job)
{
	atomic_fetch_add(entered, 1);
	usleep(1000);
	return brood_job_cancelled(job);
}

static void text_has(const struct order *o, const char *words)
{
	char line[512];

	brood_verdict_format(&o->v, line, sizeof line);
	CHECK_MSG(words ? strstr(line, words) != NULL
			: strstr(line, "told") == NULL && strstr(line, "noticed") == NULL,
		"%s", line);
}

static void say_who_was_told(uint32_t path)
{
	struct order orders[] = {
		{ .fn = has_its_time, .run_ms = 60000, .grace_ms = 60000 },
		{ .fn = ends_when_told, .run_ms = 100, .grace_ms = 60000 },
		{ .fn = ends_when_told, .run_ms = 60000, .grace_ms = 60000, .cancel = true },
		{ .fn = deaf, .run_ms = 100, .grace_ms = 50 },
		{ .fn = knows_and_stays, .run_ms = 100, .grace_ms = 100 },
	};

	run_all(orders, sizeof orders / sizeof *orders, path);
	CHECK_EQ(orders[0].v.flags, 0);
	text_has(&orders[0], NULL);
	CHECK_EQ(orders[1].v.flags, BROOD_TOLD_DEADLINE | BROOD_NOTICED);
	text_has(&orders[1], "told to end by its deadline and noticed");
	CHECK_EQ(orders[2].v.flags, BROOD_TOLD_CANCEL | BROOD_NOTICED);
	text_has(&orders[2], "told to end by a cancel and noticed");
	expect(&orders[3], BROOD_TIMED_OUT, 0, SIGKILL);
	CHECK_EQ(orders[3].v.flags, BROOD_TOLD_DEADLINE);
	text_has(&orders[3], NULL);
	expect(&orders[4], BROOD_TIMED_OUT, 0, SIGKILL);
	CHECK_EQ(orders[4].v.flags, BROOD_TOLD_DEADLINE | BROOD_NOTICED);
	text_has(&orders[4], "had noticed");
}

static void told(void)
{
	struct brood_options options = { .workers = 5, .drain_ms = 100, .log = note_log };
	struct order last[] = { { .fn = ends_when_told, .run_ms = BROOD_FOREVER },
		{ .fn = ends_when_told, .run_ms = BROOD_FOREVER } };

	entered = mmap(
		NULL, sizeof *entered, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	brood = pool_start(&options);
	for (size_t i = 0; i < 2; i++) {
		say_who_was_told(paths[i]);
		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	}
	atomic_store(entered, 0);
	for (size_t i = 0; i < 2; i++) {
		last[i].grace_ms = BROOD_FOREVER;
		give(&last[i], paths[i]);
		CHECK(WAIT_UNTIL(has_begun(i + 1), 10000));
	}
	CHECK_EQ(brood_stop(brood), 0);
	for (size_t i = 0; i < 2; i++) {
		wait_for(&last[i]);
		CHECK_EQ(last[i].v.code, 42);
		CHECK_EQ(last[i].v.flags, BROOD_TOLD_STOP | BROOD_NOTICED);
		text_has(&last[i], "told to end by the stop");
	}
}
Test(deadlines, told_to_end) { case_run(told, 30000); }
