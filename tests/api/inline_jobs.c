/* SPDX-License-Identifier: MIT */
/* inline_jobs.c - BROOD_INLINE: what a job gets and sends beside bytes. */
#define _GNU_SOURCE
#include "pool.h"
#include "proc.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

TestSuite(inline_jobs, .timeout = 60);

static struct brood *start_inline(uint32_t flags)
{
	struct brood_options o = { .size = sizeof o, .flags = BROOD_INLINE | flags };
	struct brood *brood = NULL;

	CHECK_MSG(brood_start(&o, &brood) == 0, "%s", brood_error());
	return brood;
}

static int job_request(struct brood_job *job)
{
	char byte;
	size_t size;
	const char *request = brood_job_request(job, &size);

	if (!request || brood_job_request(job, NULL) != request ||
		size != brood_job_request_size(job) || brood_job_read(job, &byte, 1) != 0)
		return 1;
	return brood_job_reply(job, request, size) == (ssize_t)size ? 0 : 2;
}

static int job_request_too_late(struct brood_job *job)
{
	char byte;

	return brood_job_read(job, &byte, 1) == 1 && !brood_job_request(job, NULL) &&
			errno == EINVAL
		? 0
		: 1;
}

static void request(void)
{
	struct brood *brood = start_inline(0);
	char he[] = "he", llo[] = "llo";
	struct iovec pieces[] = { { he, 2 }, { llo, 3 } };
	struct brood_verdict v;
	char reply[8];

	CHECK_EQ(brood_callv(brood, job_request, pieces, 2, reply, sizeof reply, NULL, &v), 5);
	CHECK_MEM(reply, "hello", 5);
	CHECK_EQ(v.code, 0);
	CHECK_EQ(brood_call(brood, job_request, NULL, 0, NULL, 0, NULL, &v), 0);
	CHECK_EQ(v.code, 0);
	CHECK_EQ(brood_call(brood, job_request_too_late, "hello", 5, NULL, 0, NULL, &v), 0);
	CHECK_EQ(v.code, 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, request) { case_run(request, 10000); }

/* There is no worker to prefer. */
static void key(void)
{
	struct brood *brood = start_inline(0);
	struct brood_job_options o = { .size = sizeof o, .key = 7 };

	for (int i = 0; i < 2; i++) {
		struct brood_verdict v = pool_call_with(brood, job_nothing, &o);

		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, key) { case_run(key, 10000); }

static int job_fails(struct brood_job *job)
{
	(void)job;
	return 3;
}

/* Nothing is counted for the poison list: no job here ends a worker. */
static void no_poison(void)
{
	const struct brood_pool_options poison = {
		.size = sizeof poison, .name = "main", .poison_after = 1
	};
	const struct brood_pool_options *const pools[] = { &poison };
	struct brood_options options = {
		.size = sizeof options, .flags = BROOD_INLINE, .pools = pools, .pools_count = 1
	};
	struct brood_job_options o = { .size = sizeof o, .key = 7 };
	struct brood *brood = NULL;

	CHECK_MSG(brood_start(&options, &brood) == 0, "%s", brood_error());
	for (int i = 0; i < 3; i++) {
		struct brood_verdict v = pool_call_with(brood, job_fails, &o);

		verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
	}
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, no_poison) { case_run(no_poison, 10000); }

/* Writes into the first extra fd, keeps the second, and closes none itself. */
static int job_extra(struct brood_job *job)
{
	int *kept = case_shared();

	if (brood_job_extra_fds(job) != 2 || brood_job_extra_fd(job, 2) != -EINVAL ||
		write(brood_job_extra_fd(job, 0), "x", 1) != 1)
		return 1;
	*kept = brood_job_take_extra_fd(job, 1);
	return fcntl(*kept, F_GETFD) == FD_CLOEXEC ? 0 : 2;
}

static void extra_fds(void)
{
	struct brood *brood = start_inline(0);
	int pipe_fds[2], *kept = case_shared(), bad = 999, fds = proc_own_fds();
	struct brood_job_options o = { .size = sizeof o, .fds_count = 2 };
	struct brood_verdict v;
	char byte;

	CHECK_EQ(pipe(pipe_fds), 0);
	o.fds = (int[]){ pipe_fds[1], pipe_fds[0] };
	CHECK_EQ(brood_call(brood, job_extra, NULL, 0, NULL, 0, &o, &v), 0);
	CHECK_EQ(v.code, 0);
	close(pipe_fds[1]);
	CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
	CHECK_EQ(read(pipe_fds[0], &byte, 1), 0); /* nobody has the other end any more */
	CHECK_EQ(close(*kept), 0);
	close(pipe_fds[0]);
	o.fds = &bad;
	o.fds_count = 1;
	CHECK_EQ(brood_submit(brood, job_extra, NULL, 0, &o, NULL), -EBADF);
	o.fds_count = BROOD_JOB_FDS_MAX + 1;
	CHECK_EQ(brood_submit(brood, job_extra, NULL, 0, &o, NULL), -EINVAL);
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, extra_fds) { case_run(extra_fds, 10000); }

/* Replies both ends of a pipe, and a third that is the first again. */
static int job_replies_fds(struct brood_job *job)
{
	int pipe_fds[2], many[BROOD_JOB_FDS_MAX] = { 0 }, bad = 999, r;

	if (pipe(pipe_fds) < 0 || brood_job_reply_fds(job, &bad, 1) != -EBADF ||
		brood_job_reply_fds(job, pipe_fds, 2) != 0)
		return 1;
	r = brood_job_reply_fds(job, pipe_fds, 1);
	if (brood_job_reply_fds(job, many, BROOD_JOB_FDS_MAX) != -E2BIG)
		r = -1;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return r == 0 ? 5 : 2; /* failed: they come all the same */
}

static int try_pipe(int from, int to)
{
	char byte = 'q';

	return write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1;
}

static void reply_fds(void)
{
	struct brood *brood = start_inline(0);
	const struct brood_result *result;
	int got[3] = { -1, -1, -1 }, fds = proc_own_fds();
	size_t count = 9;
	struct brood_job_options o = {
		.size = sizeof o, .ret_fds = got, .ret_fds_room = 2, .ret_fds_count = &count
	};
	struct brood_verdict v;

	CHECK_EQ(brood_call(brood, job_replies_fds, NULL, 0, NULL, 0, &o, &v), 0);
	CHECK_EQ(v.code, 5);
	CHECK_EQ(count, 2);
	CHECK(try_pipe(got[0], got[1]));
	CHECK_EQ(got[2], -1);
	close(got[0]);
	close(got[1]);
	CHECK_EQ(brood_call(brood, job_replies_fds, NULL, 0, NULL, 0, NULL, &v), 0);
	CHECK_EQ(proc_own_fds(), fds);

	CHECK_EQ(brood_submit(brood, job_replies_fds, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(result->fds_count, 3);
	CHECK(try_pipe(result->fds[0], result->fds[1]));
	got[0] = result->fds[2];
	result->fds[2] = -1;
	CHECK_EQ(brood_dispatch(brood), 0); /* the others are closed now */
	CHECK_EQ(proc_own_fds(), fds + 1);
	CHECK_EQ(close(got[0]), 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, reply_fds) { case_run(reply_fds, 10000); }

static int job_tells(struct brood_job *job)
{
	char large[BROOD_PROGRESS_MAX + 1] = { 0 };

	for (char c = 'a'; c < 'd'; c++)
		if (brood_job_progress(job, &c, 1) != 0)
			return 1;
	return brood_job_progress(job, large, sizeof large) == -EMSGSIZE &&
			brood_job_progress(job, NULL, 0) == 0
		? 0
		: 2;
}

struct heard {
	uint64_t id;
	char text[16];
	size_t size;
	unsigned empty;
	int done;
};
static void on_progress(void *context, uint64_t id, const void *data, size_t size)
{
	struct heard *heard = context;

	CHECK(!heard->done);
	heard->id = id;
	heard->empty += size == 0;
	if (size)
		memcpy(heard->text + heard->size, data, size);
	heard->size += size;
}
static void on_done(void *context, const struct brood_result *result)
{
	struct heard *heard = context;

	CHECK_EQ(result->verdict.code, 0);
	CHECK_EQ(result->verdict.id, heard->id);
	heard->done = 1;
}

static void progress(void)
{
	struct brood *brood = start_inline(0);
	struct heard called = { 0 }, submitted = { 0 };
	struct brood_job_options o = {
		.size = sizeof o, .on_progress = on_progress, .context = &called, .on_done = on_done
	};
	struct brood_verdict v;
	uint64_t id;

	CHECK_EQ(brood_call(brood, job_tells, NULL, 0, NULL, 0, &o, &v), 0);
	CHECK_EQ(v.code, 0);
	CHECK_EQ(called.id, v.id);
	CHECK_EQ(called.size, 3);
	CHECK_MEM(called.text, "abc", 3);
	o.context = &submitted;
	CHECK_EQ(brood_submit(brood, job_tells, NULL, 0, &o, &id), 0);
	CHECK_EQ(submitted.size, 0); /* not before somebody dispatches */
	CHECK_EQ(brood_dispatch(brood), 1);
	CHECK_EQ(submitted.size, 3);
	CHECK_EQ(submitted.empty, 1);
	CHECK_EQ(submitted.id, id);
	CHECK(submitted.done);
	o.on_progress = NULL;
	CHECK_EQ(brood_call(brood, job_tells, NULL, 0, NULL, 0, &o, &v), 0);
	CHECK_EQ(v.code, 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, progress) { case_run(progress, 10000); }

static volatile unsigned long burned;
static int job_burns(struct brood_job *job)
{
	(void)job;
	for (unsigned long i = 0; i < 20000000; i++)
		burned += i;
	return 0;
}

static void accounts(void)
{
	struct brood *brood = start_inline(BROOD_ACCOUNT_CPU);
	struct brood_verdict v = POOL_CALL(brood, job_burns);

	CHECK_GE(v.cpu_us, 1000);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, accounts) { case_run(accounts, 30000); }

/*
 * A plugin that is not there, or has no such symbol, is refused, with a line in the log; and what
 * makes no sense is an error.
 */
static void on_log(void *context, const struct brood_log *log)
{
	snprintf(context, 200, "%s", log->text);
}

static void plugins(void)
{
	char text[200] = "";
	struct brood_options pool = {
		.size = sizeof pool, .flags = BROOD_INLINE, .log = on_log, .log_context = text
	};
	struct brood_job_options o = {
		.size = sizeof o, .plugin = "/no/such/plugin.so", .symbol = "job"
	};
	struct brood *brood;
	struct brood_verdict v;
	const struct brood_result *result;
	Dl_info libc;

	CHECK_EQ(brood_start(&pool, &brood), 0);
	CHECK_EQ(brood_call(brood, NULL, NULL, 0, NULL, 0, &o, &v), -EAGAIN);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_PLUGIN);
	CHECK_EQ(v.started, 0);
	CHECK_STR(v.name, "job");
	CHECK_CONTAINS(text, "/no/such/plugin.so");
	CHECK_EQ(brood_submit(brood, NULL, "abc", 3, &o, NULL), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(result->verdict.detail, BROOD_DETAIL_PLUGIN);
	CHECK_EQ(result->reply_size, 0);
	CHECK_EQ(brood_submit(brood, job_burns, NULL, 0, &o, NULL), -EINVAL);
	/* Any function that takes a pointer, or nothing, and returns an int will do. */
	CHECK(dladdr((const void *)(uintptr_t)getppid, &libc) && libc.dli_fname[0] == '/');
	o.plugin = libc.dli_fname;
	o.symbol = "getppid";
	CHECK_EQ(brood_call(brood, NULL, NULL, 0, NULL, 0, &o, &v), 0);
	CHECK_EQ(v.code, getppid());
	CHECK_STR(v.name, "getppid");
	o.plugin = "plugin.so";
	CHECK_EQ(brood_submit(brood, NULL, NULL, 0, &o, NULL), -EINVAL);
	o.plugin = NULL;
	CHECK_EQ(brood_submit(brood, NULL, NULL, 0, &o, NULL), -EINVAL);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, plugins) { case_run(plugins, 10000); }

/* What a job would have had is closed when there is no job, whoever gives it. */
static void closed_without_job(void)
{
	struct brood *brood = start_inline(0);
	int two = 2, pair[2], back;
	struct brood_job_options o = { .size = sizeof o,
		.fds = &two,
		.fds_count = 1,
		.plugin = "/no/such/plugin.so",
		.symbol = "job" };
	const struct brood_result *result;
	struct brood_handle *handle;
	uint64_t id;
	int before = proc_own_fds();

	for (int i = 0; i < 10; i++) {
		CHECK_LT(brood_call_named(brood, NULL, "j", "", 0, NULL, 0, &o, NULL), 0);
		CHECK_EQ(brood_submit_named(brood, NULL, "j", "", 0, &o, &id), 0);
		CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
		CHECK_EQ(brood_open_named(brood, NULL, "j", &o, &back, &handle), 0);
		CHECK_EQ(brood_wait(handle, 5000, NULL), 0);
		brood_release(handle);
		close(back);
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		CHECK_EQ(brood_give_named(brood, NULL, "j", pair[1], &o, &handle), 0);
		CHECK_EQ(brood_wait(handle, 5000, NULL), 0);
		brood_release(handle);
		close(pair[0]);
	}
	CHECK_EQ(proc_own_fds(), before);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, closed_without_job) { case_run(closed_without_job, 10000); }

/* A job that is given a socket can block on it, and who talks on it reads its end. */
static int job_leaves_unread(struct brood_job *job)
{
	return fcntl(brood_job_fd(job), F_GETFL) & O_NONBLOCK ? 1 : 0;
}
static void given_as_to_workers(void)
{
	struct brood *brood = start_inline(0);
	struct brood_handle *handle;
	struct brood_verdict v;
	int pair[2];
	char c;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	CHECK_EQ(write(pair[0], "never read", 10), 10);
	CHECK_EQ(brood_give(brood, job_leaves_unread, pair[1], NULL, &handle), 0);
	CHECK_EQ(brood_wait(handle, 5000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(read(pair[0], &c, 1), 0);
	close(pair[0]);
	brood_release(handle);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, given_as_to_workers) { case_run(given_as_to_workers, 10000); }

/*
 * A job closes its socket, and something else gets the number: that is not the library's to close.
 */
static int other;
static int job_gives_its_number_away(struct brood_job *job)
{
	int fd = brood_job_fd(job);

	close(fd);
	other = fcntl(2, F_DUPFD, fd);
	return other != fd;
}
static void number_given_away(void)
{
	struct brood *brood = start_inline(0);
	struct brood_handle *handle;
	struct brood_verdict v;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(brood_give(brood, job_gives_its_number_away, pair[1], NULL, &handle), 0);
	CHECK_EQ(brood_wait(handle, 5000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK(fcntl(other, F_GETFD) >= 0);
	brood_release(handle);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, number_given_away) { case_run(number_given_away, 10000); }

static int job_says_its_tag(struct brood_job *job)
{
	const char *tag = brood_job_tag(job);

	brood_job_log(job, BROOD_NOTICE, "%s", *tag ? "here" : "nobody's");
	return brood_job_reply(job, tag, strlen(tag)) < 0;
}

static void tags(void)
{
	char line[200] = "", reply[BROOD_TAG_MAX];
	struct brood_options options = {
		.size = sizeof options, .flags = BROOD_INLINE, .log = on_log, .log_context = line
	};
	struct brood_job_options o = { .size = sizeof o, .arg = "arg", .arg_size = 3 };
	const struct brood_result *result;
	struct brood_handle *handle;
	struct brood *brood;
	int fd;

	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_call(brood, job_says_its_tag, NULL, 0, reply, sizeof reply, &o, NULL), 0);
	CHECK_STR(line, "nobody's");
	o.tag = "GET /\n";
	CHECK_EQ(brood_call(brood, job_says_its_tag, NULL, 0, reply, sizeof reply, &o, NULL), 6);
	CHECK_MEM(reply, "GET /\n", 6);
	CHECK_STR(line, "[GET /?] here");
	CHECK_EQ(brood_submit(brood, job_says_its_tag, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_STR(result->tag, "GET /\n");
	CHECK_MEM(result->reply, "GET /\n", 6);
	CHECK_EQ(brood_open(brood, job_says_its_tag, &o, &fd, &handle), 0);
	CHECK_STR(brood_tag(handle), "GET /\n");
	CHECK_EQ(read(fd, reply, sizeof reply), 6);
	CHECK_EQ(brood_wait(handle, 5000, NULL), 0);
	CHECK(brood_release(handle) == NULL);
	CHECK_STR(brood_tag(NULL), "");
	close(fd);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_jobs, tags) { case_run(tags, 10000); }
