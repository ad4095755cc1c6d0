/* SPDX-License-Identifier: MIT */
/*
 * job_room.c - a limit on open files that has room for the workers, and for the files of a few
 * hundred jobs by handoff. More jobs wait in the engine, and nobody but the program's own threads
 * sees a difference: each job has its verdict, in its time, and as many run as there are workers.
 */
#include "limits.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(job_room, .timeout = 240);

enum { MANY = 1000, WAIT_MS = 60000 };

static struct brood_queue *queue;

static void set_hard(rlim_t hard)
{
	const struct rlimit limit = { hard, hard };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What the start says, in a child: without privileges a lowered limit stays. */
static unsigned files_needed(const struct brood_options *options)
{
	unsigned need = 0;
	int ends[2];
	pid_t child;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0) {
		set_hard(64);
		if (brood_start(options, &brood) == -EMFILE)
			sscanf(brood_error(), "brood_start: %*u workers need %u open", &need);
		_exit(write(ends[1], &need, sizeof need) != sizeof need);
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], &need, sizeof need), (ssize_t)sizeof need);
	close(ends[0]);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_GT(need, 0);
	return need;
}

/* The limit is as low as a start allows. */
static void start(uint32_t workers)
{
	const struct brood_queue_options many = { .size = sizeof many, .jobs = 2 * MANY };
	struct brood_options options = { .size = sizeof options,
		.workers = workers,
		.backlog = 2 * MANY,
		.dispatch = BROOD_PATH_HANDOFF,
		.drain_ms = WAIT_MS,
		.stop_ms = WAIT_MS,
		.run_ms = WAIT_MS,
		.queue_ms = WAIT_MS,
		.log = note_log };

	set_hard(files_needed(&options));
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, (uint32_t)test_scaled(WAIT_MS)), 0);
	CHECK_EQ(brood_queue_new(brood, &many, &queue), 0);
}

static void submit(brood_fn *fn, uint32_t queue_ms)
{
	const struct brood_job_options options = {
		.size = sizeof options, .queue = queue, .queue_ms = queue_ms
	};

	CHECK_MSG(brood_submit_named(brood, fn, "job", "ping", 4, &options, NULL) == 0, "%s",
		brood_error());
}

static int job_short(struct brood_job *job)
{
	(void)job;
	usleep(2000);
	return 0;
}

/* Takes so many results. Returns how many have this outcome. */
static unsigned take_some(unsigned count, enum brood_outcome outcome)
{
	const struct brood_result *results[64];
	unsigned hits = 0;

	while (count > 0) {
		int n = brood_take(queue, results, count < 64 ? count : 64);

		CHECK_GE(n, 0);
		for (int i = 0; i < n; i++)
			hits += results[i]->verdict.outcome == outcome;
		count -= (unsigned)n;
		if (n == 0)
			CHECK_MSG(brood_queue_wait(queue, (uint32_t)test_scaled(WAIT_MS)) > 0,
				"%u are missing: %s", count, brood_error());
	}
	return hits;
}

static void take(unsigned count, enum brood_outcome outcome)
{
	CHECK_EQ(take_some(count, outcome), count);
}

static void many_submitted(void)
{
	start(64);
	for (int i = 0; i < MANY; i++)
		submit(job_short, 0);
	take(MANY, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], MANY);
	CHECK_EQ(pool_stats(brood).queued, 0);
	pool_stop(brood);
}
Test(job_room, all_submitted_jobs_are_done) { case_run(many_submitted, 120000); }

static void many_as_nobody(void)
{
	become_nobody();
	many_submitted();
}
Test(job_room, all_submitted_jobs_of_nobody_are_done) { case_run(many_as_nobody, 120000); }

/* ---- threads that call, with files of their own ---- */

enum { CALLERS = 100, EACH = 4 };

static const int files[EACH] = { 2, 2, 2, 2 };

static void *call_one(void *context)
{
	const struct brood_job_options options = {
		.size = sizeof options, .fds = files, .fds_count = EACH
	};
	struct brood_verdict *verdict = context;
	char reply[8];

	CHECK_EQ(brood_call(brood, job_echo, "ping", 4, reply, sizeof reply, &options, verdict), 4);
	return NULL;
}

static void many_callers(void)
{
	static struct brood_verdict verdicts[CALLERS];
	static pthread_t threads[CALLERS];

	start(4);
	for (int i = 0; i < CALLERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, call_one, &verdicts[i]), 0);
	for (int i = 0; i < CALLERS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		verdict_is(&verdicts[i], BROOD_DONE, BROOD_DETAIL_NONE);
	}
	pool_stop(brood);
}
Test(job_room, all_callers_are_served) { case_run(many_callers, 120000); }

/* ---- conversations ---- */

enum { TALKERS = 400 };

static int talks[MANY];

static int job_talk(struct brood_job *job)
{
	char byte;

	send(brood_job_fd(job), "r", 1, MSG_NOSIGNAL);
	return read(brood_job_fd(job), &byte, 1) > 0; /* until the caller is through */
}

static struct brood_handle *open_one(int *ret_fd)
{
	struct brood_handle *handle;

	CHECK_MSG(brood_open(brood, job_talk, NULL, ret_fd, &handle) == 0, "%s", brood_error());
	return handle;
}

/* As many run as there are workers, with no more room for files than for 256 jobs. */
static void all_run(void)
{
	static struct brood_handle *handles[TALKERS];
	struct brood_verdict verdict;
	char byte;

	start(TALKERS);
	for (int i = 0; i < TALKERS; i++)
		handles[i] = open_one(&talks[i]);
	for (int i = 0; i < TALKERS; i++)
		CHECK_EQ(read(talks[i], &byte, 1), 1);
	for (int i = 0; i < TALKERS; i++)
		close(talks[i]);
	for (int i = 0; i < TALKERS; i++) {
		CHECK_EQ(brood_wait(handles[i], (uint32_t)test_scaled(WAIT_MS), &verdict), 0);
		verdict_is(&verdict, BROOD_DONE, BROOD_DETAIL_NONE);
		brood_release(handles[i]);
	}
	pool_stop(brood);
}
Test(job_room, as_many_run_as_there_are_workers) { case_run(all_run, 120000); }

/* A conversation beyond the room is refused: its caller may sleep on the job's socket. */
static void refused(void)
{
	const struct brood_job_options options = {
		.size = sizeof options, .fds = files, .fds_count = EACH
	};
	struct brood_handle *handle;
	int count = 0, fd, r;

	start(2);
	while ((r = brood_open(brood, job_talk, &options, &fd, NULL)) == 0) {
		CHECK_LT(count, MANY);
		talks[count++] = fd;
	}
	CHECK_EQ(r, -EAGAIN);
	CHECK_CONTAINS(brood_error(), "LimitNOFILE=");
	CHECK_GE(count, 256 / (1 + EACH));
	while (count > 0)
		close(talks[--count]);
	CHECK(WAIT_UNTIL(brood_open(brood, job_talk, NULL, &fd, &handle) == 0, WAIT_MS));
	close(fd);
	CHECK_EQ(brood_wait(handle, (uint32_t)test_scaled(WAIT_MS), NULL), 0);
	brood_release(handle);
	pool_stop(brood);
}
Test(job_room, a_conversation_beyond_is_refused) { case_run(refused, 120000); }

/* ---- jobs that are kept, and never begin ---- */

/* Workers and the supervisor's room are taken by jobs that wait for the gate to open. */
static atomic_int *gate;

static int job_gate(struct brood_job *job)
{
	(void)job;
	while (!atomic_load(gate)) /* a cancel kills the job */
		usleep(1000);
	return 0;
}

enum { WORKERS = 4, FULL = 320 };

static void start_full(void)
{
	gate = mmap(NULL, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(gate != MAP_FAILED);
	start(WORKERS);
	for (int i = 0; i < FULL; i++)
		submit(job_gate, 0);
}

static void refused_in_time(void)
{
	struct brood_job_options hurry = { .size = sizeof hurry, .queue_ms = 50 };
	struct brood_verdict verdict;

	start_full();
	for (int i = 0; i < 8; i++)
		submit(job_nothing, 50);
	take(8, BROOD_REFUSED);
	verdict = pool_call_with(brood, job_nothing, &hurry);
	verdict_is(&verdict, BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME);
	CHECK_GE(pool_stats(brood).queued, FULL - WORKERS);
	atomic_store(gate, 1);
	take(FULL, BROOD_DONE);
	pool_stop(brood);
}
Test(job_room, kept_jobs_are_refused_in_time) { case_run(refused_in_time, 120000); }

static void cancelled(void)
{
	start_full();
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == WORKERS, WAIT_MS));
	CHECK_EQ(brood_queue_cancel(queue), FULL);
	take(FULL, BROOD_CANCELLED);
	CHECK_EQ(pool_stats(brood).queued, 0);
	pool_stop(brood);
}
Test(job_room, kept_jobs_are_cancelled) { case_run(cancelled, 120000); }

/* The stop lets kept jobs be done. */
static void stopped(void)
{
	start(64);
	for (int i = 0; i < MANY; i++)
		submit(job_short, 0);
	CHECK_EQ(brood_stop(brood), 0);
	take(MANY, BROOD_DONE);
}
Test(job_room, a_stop_lets_them_be_done) { case_run(stopped, 120000); }
