/* SPDX-License-Identifier: MIT */
/*
 * submit_many.c - arrays of jobs, each case twice: with workers, and inline. The conformance suite
 * gives jobs of each kind by an array, too.
 */
#include "submit.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(submit, .timeout = 120);

#define COUNT 300

static struct brood_submission jobs[COUNT];
static int numbers[COUNT];

/* Job i has the number i as its request. */
static void fill(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		numbers[i] = (int)i;
		jobs[i] = (struct brood_submission){ .size = sizeof *jobs,
			.request = &numbers[i],
			.request_size = sizeof numbers[i],
			.context = &jobs[i] };
	}
}

/* Takes the results of `count` jobs: each is that of its entry. */
static void take_all(struct brood_queue *queue, size_t count)
{
	const struct brood_result *r;

	for (; count > 0; count--) {
		const struct brood_submission *job;

		CHECK_GE(brood_queue_wait(queue, BOUND), 1);
		CHECK_EQ(brood_take(queue, &r, 1), 1);
		job = r->context;
		CHECK_EQ(r->verdict.outcome, BROOD_DONE);
		CHECK_EQ(r->verdict.id, job->id);
		CHECK_EQ(r->reply_size, job->request_size);
		CHECK_MEM(r->reply, job->request, job->request_size);
	}
	CHECK_EQ(brood_queue_wait(queue, BOUND), 0);
}

static void each_of_many(void)
{
	struct brood *brood = start();

	fill(COUNT);
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs, COUNT, NULL), COUNT);
	CHECK_EQ(brood_queue_out(brood_own_queue(brood)), COUNT);
	for (size_t i = 1; i < COUNT; i++)
		CHECK_GT(jobs[i].id, jobs[i - 1].id);
	take_all(brood_own_queue(brood), COUNT);
	CHECK_EQ(pool_stats(brood).submitted, COUNT);
	CHECK_EQ(brood_submit_many(brood, job_echo, NULL, 0, NULL), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(each_of_many)

/* What has no room is not given, and can be given later. */
static void many_and_room(void)
{
	struct brood *brood = start();
	struct brood_queue_options q = { .size = sizeof q, .jobs = 5 };
	struct brood_job_options o = { .size = sizeof o };

	CHECK_EQ(brood_queue_new(brood, &q, &o.queue), 0);
	fill(8);
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs, 8, &o), 5);
	CHECK_CONTAINS(brood_error(), "dispatch or take");
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs + 5, 3, &o), -EAGAIN);
	CHECK(jobs[5].id == 0 && jobs[7].id == 0);
	take_all(o.queue, 5);
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs + 5, 3, &o), 3);
	take_all(o.queue, 3);
	CHECK(!brood_queue_free(o.queue));
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(many_and_room)

static void wrong(struct brood *brood, size_t at, const char *why)
{
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs, 4, NULL), (ssize_t)at);
	CHECK_CONTAINS(brood_error(), why);
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs + at, 4 - at, NULL), -EINVAL);
	CHECK_CONTAINS(brood_error(), why);
	take_all(brood_own_queue(brood), at);
	fill(4);
}

/* The jobs before the wrong one are given, and no other. */
static void a_wrong_one_of_many(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o };
	uint64_t id = 0;

	fill(4);
	jobs[2].reserved[1] = 1;
	wrong(brood, 2, "reserved");
	jobs[3].size = sizeof *jobs - 8;
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs, 4, NULL), 3);
	CHECK_CONTAINS(brood_error(), "jobs[3]: size is wrong");
	take_all(brood_own_queue(brood), 3);
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs + 3, 1, NULL), -EINVAL);
	fill(4);
	jobs[1].pieces = &(struct iovec){ &numbers[1], 1 };
	jobs[1].pieces_count = 1;
	wrong(brood, 1, "set one of the two");
	jobs[2].request = NULL;
	wrong(brood, 2, "request is NULL");
	o.ret_id = &id;
	jobs[3].options = &o;
	wrong(brood, 3, "ret_id");
	CHECK_EQ(id, 0);
	o.ret_id = NULL;
	o.flags = 1u << 20;
	jobs[1].options = &o;
	wrong(brood, 1, "flags");
	CHECK_EQ(brood_submit_many(brood, job_echo, NULL, 1, NULL), -EINVAL);
	CHECK_CONTAINS(brood_error(), "jobs is NULL");
	CHECK_EQ(brood_submit_many(NULL, job_echo, jobs, 1, NULL), -EINVAL);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(a_wrong_one_of_many)

/* Entries with a function, options, a queue, a lease and a request of their own. */
static void all_different(void)
{
	struct brood *brood = start();
	int code = 7, count;
	char text[] = "abcde";
	struct iovec pieces[] = { { text, 3 }, { NULL, 0 }, { text + 3, 2 } };
	struct brood_job_options o = { .size = sizeof o, .context = &code },
				 code_7 = { .size = sizeof o,
					 .arg = &code,
					 .arg_size = sizeof code },
				 leased = code_7;
	const struct brood_result *r;

	CHECK_EQ(brood_queue_new(brood, NULL, &o.queue), 0);
	CHECK_EQ(brood_lease(brood, NULL, &leased.lease), 0);
	memset(jobs, 0, sizeof jobs);
	for (size_t i = 0; i < 4; i++)
		jobs[i].size = sizeof *jobs;
	jobs[0].pieces = pieces;
	jobs[0].pieces_count = 3;
	jobs[1].fn = jobs[2].fn = job_arg;
	jobs[1].name = jobs[2].name = "its own";
	jobs[1].options = &leased;
	jobs[2].options = &code_7;
	jobs[3].context = &count;
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs, 4, &o), 4);
	CHECK_EQ(brood_wait_id(o.queue, jobs[0].id, BOUND, &r), 0);
	CHECK_EQ(r->reply_size, 5);
	CHECK_MEM(r->reply, "abcde", 5);
	CHECK(r->context == &code);
	CHECK_STR(r->verdict.name, "job_echo");
	CHECK_EQ(brood_wait_id(o.queue, jobs[3].id, BOUND, &r), 0);
	CHECK(r->context == &count);
	CHECK_EQ(brood_wait_id(brood_lease_queue(leased.lease), jobs[1].id, BOUND, &r), 0);
	CHECK_STR(r->verdict.name, "its own");
	CHECK_EQ(sum_of(brood_own_queue(brood), &count), 7);
	CHECK_EQ(count, 1);
	CHECK(!brood_lease_end(leased.lease));
	CHECK(!brood_queue_free(o.queue));
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(all_different)

/* A call without a function: each entry has its own, or none. */
static void no_common_function(void)
{
	struct brood *brood = start();

	fill(3);
	jobs[0].fn = jobs[1].fn = job_echo;
	jobs[0].name = jobs[1].name = "job_echo";
	CHECK_EQ(brood_submit_many_named(brood, NULL, NULL, jobs, 3, NULL), 2);
	CHECK_EQ(brood_submit_many_named(brood, NULL, NULL, jobs + 2, 1, NULL), -EFAULT);
	take_all(brood_own_queue(brood), 2);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(no_common_function)

/* A program with a newer header has longer entries. What this library does not know must be 0. */
static void longer_entries(void)
{
	struct longer {
		struct brood_submission known;
		uint64_t newer;
	} longer[3];
	struct brood *brood = start();

	fill(3);
	for (size_t i = 0; i < 3; i++) {
		longer[i] = (struct longer){ .known = jobs[i] };
		longer[i].known.size = sizeof longer[i];
		longer[i].known.context = &longer[i].known;
	}
	CHECK_EQ(brood_submit_many(brood, job_echo, &longer[0].known, 3, NULL), 3);
	take_all(brood_own_queue(brood), 3);
	longer[1].newer = 1;
	CHECK_EQ(brood_submit_many(brood, job_echo, &longer[0].known, 3, NULL), 1);
	CHECK_CONTAINS(brood_error(), "newer header");
	take_all(brood_own_queue(brood), 1);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(longer_entries)

/* Callbacks give further arrays. MORE: the jobs begin when the program waits. */
struct wave {
	struct brood *brood;
	struct brood_job_options options;
	int left, ended;
};
static void on_wave(void *context, const struct brood_result *result)
{
	struct wave *wave = context;

	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	wave->ended++;
	if (wave->ended % 20 || wave->left-- == 0)
		return;
	fill(20);
	for (size_t i = 0; i < 20; i++)
		jobs[i].context = NULL;
	CHECK_EQ(brood_submit_many(wave->brood, job_echo, jobs, 20, &wave->options), 20);
}

static void waves(void)
{
	struct wave wave = { .brood = start(), .left = 4 };

	wave.options = (struct brood_job_options){ .size = sizeof wave.options,
		.on_done = on_wave,
		.context = &wave,
		.flags = BROOD_JOB_MORE };
	fill(20);
	for (size_t i = 0; i < 20; i++)
		jobs[i].context = NULL;
	CHECK_EQ(brood_submit_many(wave.brood, job_echo, jobs, 20, &wave.options), 20);
	while (wave.ended < 100)
		CHECK_GT(brood_queue_wait(brood_own_queue(wave.brood), BOUND), 0);
	CHECK_EQ(brood_queue_wait(brood_own_queue(wave.brood), BOUND), 0);
	CHECK_EQ(brood_stop(wave.brood), 0);
}
TWICE(waves)

/* Where a job cannot be given, an array cannot: over leases, after the stop, in other processes. */
static void many_too_late(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o };
	pid_t pid;
	int status;

	fill(2);
	CHECK_GE(pid = fork(), 0);
	if (pid == 0)
		_exit(brood_submit_many(brood, job_echo, jobs, 2, NULL) == -EPERM ? 0 : 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_submit_many(brood, job_echo, jobs, 2, &o), -ESHUTDOWN);
	CHECK_EQ(jobs[0].id, 0);
}
TWICE(many_too_late)

/* Threads give arrays to one queue; each takes the results of its own jobs. */
static void *gives(void *context)
{
	struct brood_submission own[50];
	struct brood *brood = context;
	const struct brood_result *r;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 50; i++)
			own[i] = (struct brood_submission){
				.size = sizeof *own, .request = &round, .request_size = sizeof round
			};
		CHECK_EQ(brood_submit_many(brood, job_echo, own, 50, NULL), 50);
		for (int i = 0; i < 50; i++) {
			CHECK_EQ(brood_wait_id(brood_own_queue(brood), own[i].id, BOUND, &r), 0);
			CHECK_MEM(r->reply, &round, sizeof round);
		}
	}
	return NULL;
}

static void many_from_threads(void)
{
	struct brood *brood = start();
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, gives, brood), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
TWICE(many_from_threads)
