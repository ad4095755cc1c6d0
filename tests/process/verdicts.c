/* SPDX-License-Identifier: MIT */
/*
 * verdicts.c - law 2: each way that a job can end gets its own verdict, the right one; and the pool
 * is full again after each.
 */
#include "../helpers/pool.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(verdicts, .timeout = 120);

static jmp_buf before_start;

static int returns_7(struct brood_job *job)
{
	(void)job;
	return 7;
}
static int returns_minus_1(struct brood_job *job)
{
	(void)job;
	return -1;
}
static int exits_0(struct brood_job *job)
{
	(void)job;
	exit(0);
}
static int exits_3(struct brood_job *job)
{
	(void)job;
	exit(3);
}
static int exits_raw(struct brood_job *job)
{
	(void)job;
	_exit(9);
}
static int aborts(struct brood_job *job)
{
	(void)job;
	abort();
}
static int asserts(struct brood_job *job)
{
	assert(job == NULL);
	return 0;
}
static volatile int *volatile nowhere;
static int segfaults(struct brood_job *job)
{
	(void)job;
	*nowhere = 1;
	return 0;
}
static int divides(struct brood_job *job)
{
	raise(SIGFPE);
	(void)job;
	return 0;
}
static int killed(struct brood_job *job)
{
	(void)job;
	kill(getpid(), SIGKILL);
	return 0;
}
static int jumps(struct brood_job *job)
{
	(void)job;
	longjmp(before_start, 1);
}
static int leaves_thread(struct brood_job *job)
{
	(void)job;
	pthread_exit(NULL);
}

static struct brood *brood;

static struct brood_verdict expect(
	brood_fn *fn, const char *name, enum brood_outcome outcome, enum brood_detail detail)
{
	struct brood_verdict v = pool_call(brood, fn, name, "x", 1, NULL);
	char line[512];

	brood_verdict_format(&v, line, sizeof line);
	CHECK_MSG(v.outcome == outcome && v.detail == detail, "%s", line);
	CHECK_STR(v.name, name);
	CHECK(v.started);
	CHECK_GT(v.pid, 0);
	CHECK_GE(v.generation, 1);
	CHECK_EQ(v.attempts, 1);
	CHECK_CONTAINS(line, name);
	CHECK_CONTAINS(line, brood_outcome_name(outcome));
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	return v;
}
#define EXPECT(fn, outcome, detail) expect(fn, #fn, outcome, detail)

static void all_ends(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_verdict v;

	if (setjmp(before_start) != 0)
		FAIL("a longjmp() came out of its job");
	brood = pool_start(&options);
	EXPECT(job_nothing, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(EXPECT(returns_7, BROOD_FAILED, BROOD_DETAIL_NONE).code, 7);
	CHECK_EQ(EXPECT(returns_minus_1, BROOD_FAILED, BROOD_DETAIL_NONE).code, -1);
	CHECK_EQ(EXPECT(exits_0, BROOD_EXITED, BROOD_DETAIL_NONE).code, 0);
	CHECK_EQ(EXPECT(exits_3, BROOD_EXITED, BROOD_DETAIL_NONE).code, 3);
	CHECK_EQ(EXPECT(exits_raw, BROOD_EXITED, BROOD_DETAIL_NONE).code, 9);
	CHECK_EQ(EXPECT(aborts, BROOD_CRASHED, BROOD_DETAIL_NONE).signal, SIGABRT);
	CHECK_EQ(EXPECT(asserts, BROOD_CRASHED, BROOD_DETAIL_NONE).signal, SIGABRT);
	v = EXPECT(segfaults, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGSEGV);
	CHECK_GT(v.peak_kb, 0);
	CHECK_EQ(EXPECT(divides, BROOD_CRASHED, BROOD_DETAIL_NONE).signal, SIGFPE);
	CHECK_EQ(EXPECT(job_overflows, BROOD_CRASHED, BROOD_DETAIL_NONE).signal, SIGSEGV);
	CHECK_EQ(EXPECT(killed, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE).signal, SIGKILL);
	EXPECT(jumps, BROOD_CRASHED, BROOD_DETAIL_LONGJMP);
	EXPECT(leaves_thread, BROOD_CRASHED, BROOD_DETAIL_THREAD_EXIT);
	EXPECT(job_nothing, BROOD_DONE, BROOD_DETAIL_NONE);
	pool_stop(brood);
}
Test(verdicts, each_end_has_its_own) { case_run(all_ends, 60000); }

/* ---- memory ---- */

static int leaks_until_null(struct brood_job *job)
{
	(void)job;
	for (;;) {
		char *p = malloc(1 << 20);

		if (!p)
			return 12;
		memset(p, 1, 1 << 20);
	}
}
static int __attribute__((noreturn)) leaks_and_crashes(struct brood_job *job)
{
	(void)job;
	for (;;)
		memset(malloc(1 << 20), 1, 1 << 20);
}
static int leaks_and_exits(struct brood_job *job)
{
	leaks_until_null(job);
	exit(4);
}

static void memory(void)
{
	struct brood_options options = { .workers = 1, .worker_memory = 32 << 20, .log = note_log };

	brood = pool_start(&options);
	CHECK_EQ(EXPECT(leaks_until_null, BROOD_FAILED, BROOD_DETAIL_MEMORY).code, 12);
	CHECK_EQ(EXPECT(leaks_and_crashes, BROOD_CRASHED, BROOD_DETAIL_MEMORY).signal, SIGSEGV);
	CHECK_EQ(EXPECT(leaks_and_exits, BROOD_EXITED, BROOD_DETAIL_MEMORY).code, 4);
	/* a worker that had none of it says nothing of it */
	EXPECT(returns_7, BROOD_FAILED, BROOD_DETAIL_NONE);
	pool_stop(brood);
}
Test(verdicts, memory_limit)
{
#if defined(__SANITIZE_ADDRESS__)
	cr_skip_test("the sanitizer's allocator maps what it likes");
#endif
	case_run(memory, 60000);
}

/* ---- pointers ---- */

static void pointers(void)
{
	static int data[16];
	struct brood_verdict v = { 0 };
	void *made;
	struct brood_handle *handle = NULL;
	int fd = -1;

	brood = pool_start_workers(1);
	made = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(made != MAP_FAILED);
	CHECK_EQ(brood_open(brood, (brood_fn *)(void *)data, NULL, &fd, &handle), -EFAULT);
	CHECK_EQ(brood_open(brood, (brood_fn *)made, NULL, &fd, &handle), -EFAULT);
	CHECK_EQ(brood_open(brood, (brood_fn *)(uintptr_t)1, NULL, &fd, &handle), -EFAULT);
	CHECK_EQ(fd, -1);
	CHECK(handle == NULL);
	CHECK_EQ(brood_call(brood, (brood_fn *)made, NULL, 0, NULL, 0, NULL, &v), -EFAULT);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_BAD_POINTER);
	CHECK_EQ(brood_open(brood, (brood_fn *)NULL, NULL, &fd, &handle), -EFAULT);
	EXPECT(job_nothing, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(pool_stats(brood).died, 0); /* the worker lives on */
	pool_stop(brood);
}
Test(verdicts, pointer_refused) { case_run(pointers, 20000); }

/* ---- atexit handlers and destructors of the program's own do not run in workers ---- */

static void of_the_program(void)
{
	if (brood_role() != BROOD_ROLE_ENGINE)
		note("an atexit handler of the program ran in role %d", (int)brood_role());
	((volatile int *)case_shared())[0]++;
}

static void exits(void)
{
	atexit(of_the_program);
	brood = pool_start_workers(2);
	EXPECT(exits_0, BROOD_EXITED, BROOD_DETAIL_NONE);
	EXPECT(exits_3, BROOD_EXITED, BROOD_DETAIL_NONE);
	EXPECT(leaves_thread, BROOD_CRASHED, BROOD_DETAIL_THREAD_EXIT);
	pool_stop(brood);
	CHECK_EQ(((volatile int *)case_shared())[0], 0);
	case_done();
	exit(0); /* here it does run, once, in the engine */
}
Test(verdicts, atexit_of_the_program_stays_out) { cr_assert_eq(case_status(exits, 20000), 0); }
