/* SPDX-License-Identifier: MIT */
/*
 * worker_frame.c - one worker, and its frame: a job that jumps, ends its thread or exits gets no
 * further, runs nothing that is main()'s, and its children do not speak for the worker.
 */
#define _GNU_SOURCE
#include "worker.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(worker, .timeout = 60);

/* ---- the frame ---- */

static jmp_buf outside;
static int jumps(struct brood_job *job)
{
	(void)job;
	longjmp(outside, 1);
}
static int ends_thread(struct brood_job *job)
{
	(void)job;
	pthread_exit(NULL);
}
static int exits(struct brood_job *job)
{
	(void)job;
	exit(3);
}
static void job_registered(void) { atomic_fetch_add(marked(), 1); }
static void main_registered(void) { atomic_fetch_add(marked(), 100); }
static int exits_with_handler(struct brood_job *job)
{
	(void)job;
	atexit(job_registered);
	exit(3);
}

static int jumps_within(struct brood_job *job)
{
	jmp_buf here;

	(void)job;
	if (setjmp(here) == 0)
		longjmp(here, 1);
	return 5;
}

static void escape(brood_fn *fn, uint32_t how)
{
	struct frame frame;

	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, jumps_within).code, 5);
	fake_assign(&fake);
	fake_run(&fake, fn, NULL, 0);
	fake_hear(&fake, &frame, MESSAGE_ESCAPED);
	CHECK_EQ(frame.escaped.how, how);
	CHECK_EQ(frame.escaped.id, fake.id);
	CHECK_EQ(frame.escaped.sequence, fake.sequence);
	CHECK_EQ(fake_exit_code(&fake), 74);
	CHECK_EQ(atomic_load(marked()), 0);
}

static void escapes(void)
{
	atexit(main_registered);
	if (setjmp(outside) == 0) {
		escape(jumps, ESCAPED_LONGJMP);
		escape(ends_thread, ESCAPED_THREAD_EXIT);
	} else {
		FAIL("a job got out of its frame");
	}
	case_done();
	_exit(0);
}
Test(worker, nothing_gets_past_the_frame) { case_run(escapes, 20000); }

/* What a C++ compiler makes of a thread_local object with a destructor. */
extern int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *symbol);
static void destructed(void *object) { atomic_fetch_add(marked(), *(int *)object); }
static int mains = 10000, jobs = 7;
static int constructs_and_exits(struct brood_job *job)
{
	(void)job;
	__cxa_thread_atexit_impl(destructed, &jobs, &jobs);
	exit(3);
}

static void exit_destructors(void)
{
	__cxa_thread_atexit_impl(destructed, &mains, &mains);
	__cxa_thread_atexit_impl(destructed, &mains, &mains);
	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	fake_run(&fake, constructs_and_exits, NULL, 0);
	CHECK_EQ(fake_exit_code(&fake), 3);
	CHECK_EQ(atomic_load(marked()), 7); /* the job's own, and none of main()'s */
	case_done();
	_exit(0);
}
Test(worker, exit_destructs_nothing_of_main) { case_run(exit_destructors, 20000); }

static void exit_handlers(void)
{
	atexit(main_registered);
	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	fake_run(&fake, exits, NULL, 0);
	CHECK_EQ(fake_exit_code(&fake), 3);
	CHECK_EQ(atomic_load(marked()), 0);
	fake_start(&fake);
	fake_assign(&fake);
	fake_run(&fake, exits_with_handler, NULL, 0);
	CHECK_EQ(fake_exit_code(&fake), 3);
	CHECK_EQ(atomic_load(marked()), 1);
	case_done();
	_exit(0);
}
Test(worker, exit_runs_no_handlers_of_main) { case_run(exit_handlers, 20000); }

/* The child of a job is not the worker: what it says or ends counts for nothing. */
static int child_returns(struct brood_job *job)
{
	pid_t pid = fork();
	int status;

	(void)job;
	if (pid == 0)
		return 9;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int child_jumps(struct brood_job *job)
{
	pid_t pid = fork();
	int status;

	if (pid == 0 && brood_job_log(job, BROOD_NOTICE, "not mine to say") == -EPERM &&
		!worker_is_self() && worker_is_forked())
		longjmp(outside, 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void children_of_jobs(void)
{
	if (setjmp(outside) != 0)
		FAIL("a child of a job got out of its frame");
	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, child_returns).code, 9);
	CHECK_EQ(fake_job(&fake, child_jumps).code, 74);
	CHECK_EQ(fake_job(&fake, nothing).code, 0);
	fake_end(&fake);
}
Test(worker, children_do_not_speak_for_it) { case_run(children_of_jobs, 20000); }
