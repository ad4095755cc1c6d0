/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_sleep.c - one worker on lease: it sleeps when there is nothing to do, is woken, and
 * no wake-up and no signal costs a job.
 */
#define _GNU_SOURCE
#include "worker_ring.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(worker_ring, .timeout = 120);

static int marks(struct brood_job *job)
{
	(void)job;
	return atomic_fetch_add(marked(), 1);
}

/* ---- sleeping and waking ---- */

static unsigned random_state = 1;
static unsigned dice(unsigned sides)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 8) % sides;
}

/*
 * Batches of any size, pauses of any length: each job that is published is done and told, or
 * fake_await() gives up.
 */
static void hammer(void)
{
	int expected = 0;

	begin();
	for (int jobs = 0; jobs < 100000;) {
		int batch = dice(4) ? (int)dice(3) + 1 : (int)dice(RING_DEPTH) + 1;

		for (int i = 0; i < batch; i++) {
			fake_entry(&ring, marks, NULL, 0);
			if (dice(3) == 0)
				fake_publish(&ring);
		}
		for (volatile unsigned pause = dice(3) ? 0 : dice(3000); pause > 0; pause--)
			;
		fake_publish(&ring);
		for (volatile unsigned pause = dice(3) ? 0 : dice(3000); pause > 0; pause--)
			;
		for (int i = 0; i < batch; i++)
			fake_done(&ring, expected++);
		jobs += batch;
	}
	finish();
}
Test(worker_ring, no_wake_up_is_lost) { case_run(hammer, 100000); }

/*
 * The engine has taken the job already, and the thread of a later one sleeps on the same word: that
 * is not this worker's to change.
 */
static void later_caller(void)
{
	uint64_t first;
	_Atomic uint32_t *word;
	uint32_t later;

	begin();
	first = ring.prepared + 1;
	word = &ring.up->callers[first % RING_DEPTH];
	later = CALLER_WORD(first + RING_DEPTH, CALLER_SLEEPS);
	fake_entry(&ring, nothing, NULL, 0)->flags |= RING_CALLER;
	atomic_store(word, later);
	fake_publish(&ring);
	fake_done(&ring, 0);
	fake_ring_job(&ring, nothing, 0); /* now it is through with the first */
	CHECK_EQ(atomic_load(word), later);
	finish();
}
Test(worker_ring, a_later_caller_s_word_is_left_alone) { case_run(later_caller, 30000); }

/* Idle: it makes no system call, and is in futex(). */
static void idle(void)
{
	struct process_exit e;
	int rounds;

	begin();
	fake_ring_job(&ring, nothing, 0);
	CHECK(WAIT_UNTIL(atomic_load(&ring.page->asleep) == 1, 10000));
	for (rounds = 0; rounds < 5; rounds++) {
		/* a soft step for nobody wakes it, and it sleeps again */
		CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGTERM), 0);
		fake_ring_job(&ring, nothing, 0);
	}
	CHECK_EQ(process_wait(fake.pid, true, &e), 0);
	finish();
}
Test(worker_ring, sleeps_and_is_woken) { case_run(idle, 20000); }

/*
 * Signals at any instruction: within a job that is watched for system calls, within the library's
 * calls, between jobs, asleep. None ends the worker, none costs a job.
 */
static int calls(struct brood_job *job)
{
	return getppid() > 0 && brood_job_write(job, "x", 1) == 1 && getppid() > 0 ? 5 : 1;
}
static int only_ours(struct brood_job *job)
{
	for (int i = 0; i < 20; i++)
		if (brood_job_write(job, "0123456789", 10) != 10 || brood_job_cancelled(job))
			return 1;
	return 6;
}

static void shower(void)
{
	static brood_fn *const fns[] = { nothing, calls, only_ours };
	static const int codes[] = { 0, 5, 6 };
	pid_t rain;

	begin();
	rain = fork();
	if (rain == 0)
		for (;;)
			kill(fake.pid, SIGTERM);
	for (int i = 0; i < 3000; i++) {
		struct ring_done d;

		fake_push(&ring, fns[i % 3], NULL, 0);
		d = fake_done(&ring, codes[i % 3]);
		if (d.reply_size)
			fake_reply(&ring, &d);
		if (i % 10 == 0)
			fake_soft(&fake, ring.published); /* late, as a rule */
	}
	CHECK_EQ(kill(rain, SIGKILL), 0);
	CHECK_EQ(waitpid(rain, NULL, 0), rain);
	finish();
}
Test(worker_ring, signals_at_any_moment) { case_run(shower, 60000); }
