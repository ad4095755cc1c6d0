/* SPDX-License-Identifier: MIT */
/*
 * forked.c - what a process that a job forked has of its worker: it may ask whether the job is told
 * to end, and cannot write what the slot's next worker believes.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(forked, .timeout = 120);

static struct brood *brood;

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .log = note_log };

	brood = pool_start(&options);
}

static void all_well(uint32_t jobs)
{
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	for (uint32_t i = 0; i < jobs; i++) {
		struct brood_verdict v = POOL_CALL(brood, job_nothing);

		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
}

/* Finds the one mapping of the status page that a worker can write. */
static _Atomic uint64_t *find_slot_page(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to, found = 0;
	char line[512], rights[8];

	CHECK(maps);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 &&
			strcmp(rights, "rw-s") == 0 && strstr(line, "brood-status"))
			found = from;
	fclose(maps);
	return (_Atomic uint64_t *)found;
}

/* What a job leaves behind may outlive its worker; the next one of the slot has the same page. */
static int leaves_a_scribbler(struct brood_job *job)
{
	_Atomic uint64_t *word = find_slot_page();
	int status, raw = *(const int *)brood_job_arg(job, NULL);
	pid_t pid = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();

	if (!word)
		return 1;
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (brood_job_cancelled(job)) /* a child may ask */
			_exit(2);
		atomic_store(word, UINT64_MAX);
		_exit(3);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 4;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? 0 : 100 + status;
}

static void out_of_reach(void)
{
	start(2);
	for (int path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		for (int raw = 0; raw < 2; raw++) {
			struct brood_job_options job = {
				.arg = &raw, .arg_size = sizeof raw, .dispatch = (uint32_t)path
			};
			struct brood_verdict v = pool_call_with(brood, leaves_a_scribbler, &job);

			verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		}
	}
	all_well(4);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
Test(forked, children_of_jobs_do_not_have_the_slot_page) { case_run(out_of_reach, 20000); }

/* A child that a job forked hears that the job is told to end. */
static int asks_in_a_child(struct brood_job *job)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		_exit(WAIT_UNTIL(
			      brood_job_cancelled(job) && brood_job_time_left_ms(job) == 0, 10000)
				? 7
				: 8);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void child_asks(void)
{
	struct brood_job_options job = { .run_ms = 100, .grace_ms = 20000 };
	struct brood_verdict v;

	start(1);
	v = pool_call_with(brood, asks_in_a_child, &job);
	verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.code, 7);
	CHECK_EQ(v.flags, BROOD_TOLD_DEADLINE);
	all_well(4);
	pool_stop(brood);
}
Test(forked, a_child_may_ask_whether_its_job_is_told_to_end) { case_run(child_asks, 40000); }
