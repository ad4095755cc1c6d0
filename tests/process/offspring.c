/* SPDX-License-Identifier: MIT */
/*
 * offspring.c - who says that a dead worker may have left processes, and what the supervisor makes
 * of that. One worker: its slot page says so from before code of the program can make a process,
 * until the worker has seen that none is left. A supervisor with played workers: it looks for
 * strays after a death that may have left some, and after no other.
 */
#define _GNU_SOURCE
#include "../../src/os/syscalls.h"
#include "../helpers/fake.h"
#include "../helpers/stage.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(offspring, .timeout = 120);

/* ---- one worker ---- */

static struct fake w;
static struct notes {
	atomic_int pid, state, watched;
} * notes(void) { return case_shared(); }

static uint32_t offspring(void)
{
	return atomic_load(&shared_slot_page(&w.shared, w.config.slot)->offspring);
}

static void __attribute__((noreturn)) sleeps(void)
{
	for (;;)
		pause();
}

static int calls_nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}
static int calls(struct brood_job *job)
{
	(void)job;
	return getppid() == 0;
}
static int forks_and_waits(struct brood_job *job)
{
	pid_t pid = fork();

	(void)job;
	if (pid == 0)
		_exit(0);
	return waitpid(pid, NULL, 0) != pid;
}
static int leaves_child(struct brood_job *job)
{
	pid_t pid = fork();

	(void)job;
	if (pid == 0)
		sleeps();
	atomic_store(&notes()->pid, pid);
	return 0;
}
/* Its orphans would be the supervisor's. */
static int is_no_reaper(struct brood_job *job)
{
	(void)job;
	return prctl(PR_SET_CHILD_SUBREAPER, 0);
}
static int is_reaper(struct brood_job *job)
{
	(void)job;
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int starts_child(void *context)
{
	(void)context;
	return leaves_child(NULL);
}
static int starts_orphan(void *context)
{
	pid_t pid = fork();

	(void)context;
	if (pid == 0) {
		setsid();
		_exit(leaves_child(NULL));
	}
	return waitpid(pid, NULL, 0) != pid;
}
static void *sleeps_in_thread(void *arg)
{
	sleeps();
	return arg;
}
static int starts_thread(void *context)
{
	pthread_t thread;

	(void)context;
	return pthread_create(&thread, NULL, sleeps_in_thread, NULL);
}
static int makes_none(void *context)
{
	(void)context;
	return getppid() == 0;
}
static void leaves_at_exit(void *context) { starts_child(context); }
static void leaves_none(void *context) { makes_none(context); }

static void ends_child(void)
{
	pid_t pid = atomic_exchange(&notes()->pid, 0);

	if (pid > 0)
		CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK(pid <= 0 || proc_wait_gone(pid, 10000));
}

/* The worker's orphans come to the case, which kills and reaps them. */
static void no_child_is_left(void)
{
	ends_child();
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	CHECK_EQ(errno, ECHILD);
}

static void born_with(int (*init)(void *), void (*at_exit)(void *))
{
	CHECK_EQ(process_set_subreaper(), 0);
	fake_init(&w);
	w.options.worker_init = init;
	w.options.worker_exit = at_exit;
	w.options.tolerate = BROOD_LEFT_CHILDREN;
	fake_start(&w);
}

static void after_hook(void *context)
{
	static const struct row {
		int (*init)(void *);
		uint32_t offspring;
	} rows[] = {
		{ NULL, 0 },
		{ makes_none, 0 },
		{ starts_child, 1 },
		{ starts_orphan, 1 },
		{ starts_thread, 1 },
	};
	const struct row *row = &rows[*(int *)context];

	born_with(row->init, NULL);
	CHECK_EQ(offspring(), row->offspring);
	CHECK_EQ(fake_job(&w, calls).code, 0);
	CHECK_EQ(offspring(), row->offspring);
	CHECK_EQ(fake_job(&w, calls_nothing).code, 0);
	CHECK_EQ(offspring(), row->offspring);
	CHECK_EQ(kill(w.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit_code(&w), -1);
	no_child_is_left();
}
Test(offspring, after_worker_init)
{
	for (int i = 0; i < 5; i++)
		case_run_with(after_hook, &i, 20000);
}

static void after_jobs(void)
{
	born_with(NULL, NULL);
	CHECK_EQ(fake_job(&w, calls_nothing).code, 0);
	CHECK_EQ(offspring(), 0);
	CHECK_EQ(fake_job(&w, forks_and_waits).code, 0);
	CHECK_EQ(offspring(), 0);
	CHECK_EQ(fake_job(&w, is_no_reaper).code, 0);
	CHECK_EQ(offspring(), 1);
	CHECK_EQ(fake_job(&w, is_reaper).code, 0);
	CHECK_EQ(offspring(), 0);
	CHECK_EQ(fake_job(&w, leaves_child).code, 0);
	CHECK_EQ(offspring(), 1);
	CHECK_EQ(fake_job(&w, calls).code, 0);
	CHECK_EQ(offspring(), 1);
	ends_child();
	CHECK_EQ(fake_job(&w, calls).code, 0);
	CHECK_EQ(fake_job(&w, calls).code, 0);
	CHECK_EQ(offspring(), 0);
	fake_end(&w);
	CHECK_EQ(offspring(), 0);
}
Test(offspring, after_jobs) { case_run(after_jobs, 30000); }

static void after_exit_with(void *context)
{
	bool leaves = *(int *)context;
	struct frame f;

	born_with(NULL, leaves ? leaves_at_exit : leaves_none);
	CHECK_EQ(offspring(), 0);
	CHECK_EQ(frame_send(w.channel, frame_begin(&f, MESSAGE_END)), 0);
	CHECK_EQ(fake_exit_code(&w), 0);
	CHECK_EQ(offspring(), leaves);
	no_child_is_left();
}
Test(offspring, after_worker_exit)
{
	for (int leaves = 0; leaves < 2; leaves++)
		case_run_with(after_exit_with, &leaves, 20000);
}

/* Calls nothing, then what makes no process, then what might, and spins after each. */
static int spins(struct brood_job *job)
{
	(void)job;
	atomic_store(&notes()->watched, syscalls_watched);
	atomic_store(&notes()->state, 1);
	while (atomic_load(&notes()->state) == 1)
		;
	(void)getppid();
	atomic_store(&notes()->state, 3);
	while (atomic_load(&notes()->state) == 3)
		;
	(void)syscall(SYS_unshare, 0);
	atomic_store(&notes()->state, 5);
	for (;;)
		;
	return 0;
}
static void within_a_job(void)
{
	born_with(makes_none, NULL);
	fake_assign(&w);
	fake_run(&w, spins, NULL, 0);
	CHECK(WAIT_UNTIL(atomic_load(&notes()->state) == 1, 10000));
	CHECK_EQ(offspring(), !atomic_load(&notes()->watched));
	atomic_store(&notes()->state, 2);
	CHECK(WAIT_UNTIL(atomic_load(&notes()->state) == 3, 10000));
	CHECK_EQ(offspring(), !atomic_load(&notes()->watched));
	atomic_store(&notes()->state, 4);
	CHECK(WAIT_UNTIL(atomic_load(&notes()->state) == 5, 10000));
	CHECK_EQ(offspring(), 1);
	CHECK_EQ(kill(w.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit_code(&w), -1);
	fake_forget(&w);
	CHECK_EQ(offspring(), 1);
}
Test(offspring, within_a_job) { case_run(within_a_job, 30000); }

/* ---- the supervisor ---- */

static struct stage s;

static uint64_t sweeps(void) { return atomic_load(&s.shared.stats_page->sweeps); }

static bool remembers(void)
{
	const struct roster *roster = s.shared.roster;

	for (size_t i = roster->slots; i < ROSTER_ENTRIES(roster->slots); i++)
		if (atomic_load(&roster->workers[i].pid) != 0)
			return true;
	return false;
}

static void dies(uint32_t slot, uint32_t may_leave)
{
	struct stage_worker *worker = &s.workers[slot];

	atomic_store(&stage_slot_page(&s, worker)->offspring, may_leave);
	stage_die(worker, SIGKILL);
	stage_reborn(&s);
}

/*
 * The first sweep comes at once, the next one a second later: so one for a worker that left nothing
 * would be counted before that of the worker that did is over.
 */
static void looked_for(void)
{
	stage_init(&s, 4);
	stage_start(&s);
	for (int i = 0; i < 20; i++) {
		dies((uint32_t)i % 4, 0);
		CHECK(!remembers());
	}
	CHECK_EQ(sweeps(), 0);
	dies(1, 1);
	CHECK(WAIT_UNTIL(!remembers() && sweeps() > 0, STAGE_MS));
	CHECK_EQ(sweeps(), 1);
	CHECK_EQ(atomic_load(&stage_slot_page(&s, &s.workers[1])->offspring), 0);
	stage_end(&s);
}
Test(offspring, looked_for_where_there_may_be_some) { case_run(looked_for, 60000); }

/* What it says is not believed, but that decides about that worker alone. */
static void looked_for_after_nonsense(void)
{
	struct frame f;

	stage_init(&s, 2);
	stage_start(&s);
	stage_say(s.workers[0].channel, frame_begin(&f, MESSAGE_READY));
	CHECK(stage_dies(&s.workers[0]));
	stage_reborn(&s);
	CHECK(WAIT_UNTIL(!remembers() && sweeps() > 0, STAGE_MS));
	CHECK_EQ(sweeps(), 1);
	stage_end(&s);
}
Test(offspring, looked_for_after_nonsense) { case_run(looked_for_after_nonsense, 60000); }

/* A sweep hears again from those workers that have said CALLED, and only a sweep does. */
static void heard_again(void)
{
	struct frame f;

	stage_init(&s, 4);
	stage_start(&s);
	for (uint32_t i = 0; i < 4; i++)
		atomic_store(&stage_slot_page(&s, &s.workers[i])->called, 1);
	stage_say(s.workers[2].channel, frame_begin(&f, MESSAGE_CALLED));
	CHECK(WAIT_UNTIL(atomic_load(&stage_slot_page(&s, &s.workers[2])->called) == 0, STAGE_MS));
	CHECK(WAIT_UNTIL(sweeps() == 1, STAGE_MS));
	/* these have set the word, and their message is to come */
	CHECK_EQ(atomic_load(&stage_slot_page(&s, &s.workers[1])->called), 1);
	stage_say(s.workers[1].channel, frame_begin(&f, MESSAGE_CALLED));
	CHECK(WAIT_UNTIL(atomic_load(&stage_slot_page(&s, &s.workers[1])->called) == 0, STAGE_MS));
	CHECK(WAIT_UNTIL(sweeps() == 2, STAGE_MS));
	stage_end(&s);
}
Test(offspring, heard_again) { case_run(heard_again, 60000); }
