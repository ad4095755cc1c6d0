/* SPDX-License-Identifier: MIT */
/*
 * futex.c - a process that sleeps on shared memory is woken by another process, and sleeps no
 * longer than it said.
 */
#include "kernel.h"
#include "os/futex.h"
#include "os/shm.h"

TestSuite(kernel_futex, .timeout = 60);

struct words {
	_Atomic uint32_t word, about_to, woken;
};

static void wakes(void)
{
	enum process_spawn way = PROCESS_AUTO;
	struct words *w = shm_anonymous(shm_page());
	int pidfd = -1;
	pid_t pid = process_spawn(&way, &pidfd);

	CHECK_GE(pid, 0);
	if (pid == 0) {
		atomic_store(&w->about_to, 1);
		while (atomic_load(&w->word) == 0)
			CHECK_EQ(futex_wait(&w->word, 0, TIME_NEVER), 0);
		atomic_store(&w->woken, 1);
		_exit(0);
	}
	CHECK(WAIT_UNTIL(atomic_load(&w->about_to) == 1, SHORT_MS));
	atomic_store(&w->word, 1);
	/* 0: it was not asleep yet, and will not fall asleep */
	CHECK_GE(futex_wake(&w->word, 1), 0);
	ends_well(pid);
	CHECK_EQ(atomic_load(&w->woken), 1);
	CHECK_EQ(futex_wake(&w->word, 1), 0);
	close_fd(pidfd);
}
Test(kernel_futex, wakes) { case_run(wakes, 20000); }

static void sleeps_no_longer(void)
{
	struct words *w = shm_anonymous(shm_page());
	uint64_t until = now_ns() + 20 * NS_PER_MS;

	CHECK_EQ(futex_wait(&w->word, 1, TIME_NEVER), 0); /* the word has another value */
	CHECK_EQ(futex_wait(&w->word, 0, until), -ETIMEDOUT);
	CHECK_GE(now_ns(), until);
	CHECK_EQ(futex_wait(&w->word, 0, 1), -ETIMEDOUT);
}
Test(kernel_futex, sleeps_no_longer) { case_run(sleeps_no_longer, 20000); }
