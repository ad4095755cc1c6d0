/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - where the thread's own stack cannot serve jobs: a hard limit that is too low, a size
 * to which nothing can grow, a start on a coroutine's stack. Jobs run there, too, and nothing gets
 * past their frame. And a program that has an alternate stack already.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

TestSuite(stacks, .timeout = 120);

static jmp_buf outside;

static int uses_4_mib(struct brood_job *job)
{
	const size_t size = 4 << 20;
	volatile char *all = (volatile char *)__builtin_alloca(size);

	(void)job;
	for (size_t i = size; i-- > 0;)
		all[i] = 0;
	return all[size / 2];
}
static int (*volatile nowhere)(struct brood_job *job);
static int crashes(struct brood_job *job) { return nowhere(job); }
static int jumps_out(struct brood_job *job)
{
	(void)job;
	longjmp(outside, 1);
}
static int ends_thread(struct brood_job *job)
{
	(void)job;
	pthread_exit(NULL);
}

/* Two rounds: what a job does to its stack harms its own worker alone. */
static void jobs_are_well(uint64_t stack_size)
{
	struct brood_options options = {
		.workers = 1, .stack_size = stack_size, .flags = BROOD_NO_CORE
	};
	struct brood *brood = pool_start(&options);
	struct brood_verdict v;

	for (int i = 0; i < 2; i++) {
		v = POOL_CALL(brood, uses_4_mib);
		CHECK_EQ(v.outcome, BROOD_DONE);
		/* a stack that is larger than memory, so no job reaches its end in time */
		v = stack_size > 1 << 30 ? POOL_CALL(brood, crashes)
					 : POOL_CALL(brood, job_overflows);
		CHECK_EQ(v.outcome, BROOD_CRASHED);
		CHECK_EQ(v.signal, SIGSEGV);
		v = POOL_CALL(brood, jumps_out);
		CHECK_EQ(v.outcome, BROOD_CRASHED);
		CHECK_EQ(v.detail, BROOD_DETAIL_LONGJMP);
		v = POOL_CALL(brood, ends_thread);
		CHECK_EQ(v.outcome, BROOD_CRASHED);
		CHECK_EQ(v.detail, BROOD_DETAIL_THREAD_EXIT);
	}
	pool_stop(brood);
}

static void hard_limit(void)
{
	const struct rlimit low = { 1 << 20, 1 << 20 };

	CHECK_EQ(setrlimit(RLIMIT_STACK, &low), 0);
	if (setjmp(outside) == 0)
		jobs_are_well(0);
	else
		FAIL("a job got out of its frame");
}
Test(stacks, hard_limit_below_the_size) { case_run(hard_limit, 30000); }

/* More than the gap that the kernel leaves between a stack and the mapping below it. */
static void large(void)
{
	if (setjmp(outside) == 0)
		jobs_are_well((size_t)8 << 30);
	else
		FAIL("a job got out of its frame");
}
Test(stacks, size_that_the_own_stack_cannot_have)
{
	if (sizeof(size_t) > 4)
		case_run(large, 60000);
}

static ucontext_t home, co;
static void starts_here(void)
{
	if (setjmp(outside) == 0)
		jobs_are_well(0);
	else
		FAIL("a job got out of its frame");
}
static void on_a_coroutine(void)
{
	const size_t size = 1 << 20;

	getcontext(&co);
	co.uc_stack.ss_sp = malloc(size);
	CHECK(co.uc_stack.ss_sp);
	co.uc_stack.ss_size = size;
	co.uc_link = &home;
	makecontext(&co, starts_here, 0);
	swapcontext(&home, &co);
	free(co.uc_stack.ss_sp);
}
Test(stacks, start_on_a_coroutines_stack) { case_run(on_a_coroutine, 30000); }

/* ---- the alternate stack ---- */

static char ours[65536];
/* With _GNU_SOURCE the macro MINSIGSTKSZ means four times what the kernel needs. */
static int asks_for_alternate(struct brood_job *job)
{
	stack_t stack;

	(void)job;
	if (sigaltstack(NULL, &stack) < 0 || stack.ss_flags & SS_DISABLE)
		return 1;
	return stack.ss_sp == ours ? 2 : stack.ss_size > (size_t)sysconf(_SC_MINSIGSTKSZ) ? 3 : 4;
}

static void alternate(void)
{
	const stack_t stack = { .ss_sp = ours, .ss_size = sizeof ours },
		      none = { .ss_flags = SS_DISABLE };

	for (int had = 0; had < 2; had++) {
		struct brood *brood;
		pid_t pid;

		CHECK_EQ(sigaltstack(had ? &stack : &none, NULL), 0);
		pid = fork(); /* one start a process */
		CHECK_GE(pid, 0);
		if (pid > 0) {
			int status;

			CHECK_EQ(waitpid(pid, &status, 0), pid);
			CHECK_EQ(status, 0);
			continue;
		}
		brood = pool_start_workers(1);
		CHECK_EQ(POOL_CALL(brood, asks_for_alternate).code, had ? 2 : 3);
		pool_stop(brood);
		_exit(0);
	}
}
Test(stacks, alternate_stack_of_the_program_stays) { case_run(alternate, 30000); }
