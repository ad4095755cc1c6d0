/* SPDX-License-Identifier: MIT */
/*
 * threads.c - counting threads: by unshare(), which changes nothing in a process with one thread,
 * and by /proc.
 */
#include "kernel.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

TestSuite(kernel_threads, .timeout = 120);

static sem_t started, finish;

static void *thread_main(void *name)
{
	pthread_setname_np(pthread_self(), name);
	sem_post(&started);
	while (sem_wait(&finish) < 0)
		;
	return NULL;
}

static void unshare_fact(void)
{
	static char name[] = "alpha";
	pthread_t thread;

	sem_init(&started, 0, 0);
	sem_init(&finish, 0, 0);
	CHECK_EQ(unshare(CLONE_THREAD), 0);
	CHECK_EQ(unshare(CLONE_THREAD), 0);
	CHECK_EQ(pthread_create(&thread, NULL, thread_main, name), 0);
	CHECK_EQ(unshare(CLONE_THREAD), -1);
	CHECK_EQ(errno, EINVAL);
	sem_post(&finish);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(WAIT_UNTIL(unshare(CLONE_THREAD) == 0, SHORT_MS));
}
Test(kernel_threads, unshare_tells_whether_there_are_others)
{
	if (unshare(CLONE_THREAD) < 0 && errno != EINVAL)
		cr_skip_test("unshare() is refused here: counted by /proc");
	case_run(unshare_fact, 20000);
}

static void check_counts(void)
{
	static char names[2][16] = { "alpha", "beta, (gamma)" };
	pthread_t threads[2];
	char text[64];

	sem_init(&started, 0, 0);
	sem_init(&finish, 0, 0);
	CHECK_EQ(proc_thread_count(), 1);
	CHECK_EQ(proc_thread_names(text, sizeof text), 0);
	CHECK_STR(text, "");
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread_main, names[i]), 0);
	for (int i = 0; i < 2; i++)
		sem_wait(&started);
	CHECK_EQ(proc_thread_count(), 3);
	CHECK_EQ(proc_thread_names(text, sizeof text), 2);
	CHECK_STR(text, "alpha, beta, (gamma)");
	memset(text, 'x', sizeof text);
	CHECK_EQ(proc_thread_names(text, 9), 2);
	CHECK_STR(text, "alpha, b");
	CHECK_EQ(text[9], 'x');
	CHECK_EQ(proc_thread_names(text, 0), -EINVAL);
	for (int i = 0; i < 2; i++)
		sem_post(&finish);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(proc_thread_count(), 1);
}

static void counts_by_proc(void)
{
	refuse(SYS_unshare, EPERM);
	check_counts();
}
Test(kernel_threads, count_and_names) { case_run(check_counts, 20000); }
Test(kernel_threads, count_without_unshare)
{
	NEEDS_FILTERS();
	case_run(counts_by_proc, 20000);
}

static void *nothing(void *context) { return context; }

/*
 * pthread_join() returns while the kernel still ends the thread. A job that has joined all its
 * threads has left none.
 */
static void joined(void)
{
	for (int i = 0; i < 500; i++) {
		pthread_t threads[4];

		for (size_t t = 0; t < ARRAY_SIZE(threads); t++)
			CHECK_EQ(pthread_create(&threads[t], NULL, nothing, NULL), 0);
		for (size_t t = 0; t < ARRAY_SIZE(threads); t++)
			CHECK_EQ(pthread_join(threads[t], NULL), 0);
		CHECK_EQ(proc_thread_count(), 1);
	}
}
Test(kernel_threads, a_joined_thread_does_not_count) { case_run(joined, 60000); }
