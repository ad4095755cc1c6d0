/* SPDX-License-Identifier: MIT */
/*
 * arguments.c - every public call with arguments that make no sense: it returns the documented
 * error, brood_error() names the call or the field, outputs are untouched, and nothing is damaged.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

TestSuite(arguments, .timeout = 120);

static struct brood *brood;
static struct brood_queue *own_queue;

static void start(void)
{
	struct brood_options options = { .workers = 2 };

	brood = pool_start(&options);
}

static void still_well(void)
{
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).died, 0);
}

/* A request that does not travel in the messages of a handed-off job. */
static const char large[2 * BROOD_ARG_MAX];

static const char *bad_address(void)
{
	void *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* ---- before the start, and everywhere ---- */

static void before(void)
{
	struct brood_init_data data = { .version = 77 };
	struct brood_stats stats = { .size = 77 };
	struct brood_verdict v = { .id = 77 };
	char line[8] = "untouch";

	CHECK(brood_error() && *brood_error());
	REFUSES(brood_call(NULL, job_nothing, NULL, 0, NULL, 0, NULL, &v), -EINVAL, "brood_call");
	REFUSES(brood_dispatch(NULL), -EINVAL, "brood_dispatch");
	REFUSES(brood_fd(NULL), -EINVAL, "brood_start() has not succeeded");
	REFUSES(brood_stop(NULL), -EINVAL, "brood_stop");
	REFUSES(brood_wait_ready(NULL, 0), -EINVAL, "brood_wait_ready");
	REFUSES(brood_stats(NULL, &stats), -EINVAL, "brood_stats");
	REFUSES(brood_cancel(NULL, 1), -EINVAL, "brood_cancel");
	REFUSES(brood_rearm(), -EPERM, "brood_rearm");
	CHECK_EQ(brood_get_init_data(&data), -EPERM);
	CHECK_EQ(data.version, 77);
	CHECK_EQ(stats.size, 77);
	CHECK_EQ(v.id, 77);
	CHECK_EQ(brood_role(), BROOD_ROLE_NONE);
	CHECK_STR(brood_version(), "0.3.0");
	CHECK_STR(brood_outcome_name((enum brood_outcome) - 1), "?");
	CHECK_STR(brood_outcome_name((enum brood_outcome)0), "?");
	CHECK_STR(brood_outcome_name((enum brood_outcome)BROOD_OUTCOMES), "?");
	CHECK_STR(brood_detail_name((enum brood_detail)0), "");
	CHECK_STR(brood_detail_name((enum brood_detail)BROOD_DETAILS), "?");
	CHECK_STR(brood_event_name((enum brood_event)INT_MAX), "?");
	CHECK_GT(brood_verdict_format(NULL, NULL, 0), 0);
	memset(&v, 0xff, sizeof v); /* garbage, and a name that is not terminated */
	CHECK_GT(brood_verdict_format(&v, NULL, 0), 64);
	CHECK_GT(brood_verdict_format(&v, line, 1), 64);
	CHECK_EQ(line[0], 0);
	CHECK_EQ(line[1], 'n');
}
Test(arguments, before_the_start) { case_run(before, 10000); }

/* ---- giving jobs ---- */

static void calls(void)
{
	/*
	 * On handoff the kernel finds a bad address when it copies. On a lease the caller itself
	 * copies.
	 */
	const struct brood_job_options handed = { .size = sizeof handed,
		.dispatch = BROOD_PATH_HANDOFF };
	struct brood_verdict v = { 0 };
	static char small[4];

	start();
	REFUSES(brood_call(brood, job_echo, NULL, 5, small, 4, NULL, NULL), -EINVAL, "NULL");
	REFUSES(brood_call(brood, job_echo, "12345", 5, NULL, 4, NULL, NULL), -EINVAL, "NULL");
	REFUSES(brood_call(brood, job_echo, "12345", (size_t)SSIZE_MAX + 1, small, 4, NULL, NULL),
		-EINVAL, "size");
	REFUSES(brood_call(brood, job_echo, "12345", 5, small, SIZE_MAX, NULL, NULL), -EINVAL,
		"size");
	REFUSES(brood_call(brood, (brood_fn *)NULL, NULL, 0, NULL, 0, NULL, &v), -EFAULT,
		"not a function");
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_BAD_POINTER);
	CHECK_GT(v.id, 0);
	REFUSES(brood_call(brood, (brood_fn *)(uintptr_t)small, NULL, 0, NULL, 0, NULL, NULL),
		-EFAULT, "not a function");
	REFUSES(brood_call(brood, (brood_fn *)(uintptr_t)-1, NULL, 0, NULL, 0, NULL, NULL), -EFAULT,
		"not a function");
	/* a small request is read by the caller itself, so a bad pointer is a crash */
	REFUSES(brood_call(
			brood, job_echo, bad_address(), 2 * BROOD_ARG_MAX, small, 4, &handed, &v),
		-EFAULT, "request");
	REFUSES(brood_call(brood, job_echo, "12345", 5, small, 4, NULL, &v), -EMSGSIZE, "5 bytes");
	CHECK_EQ(v.reply_size, 5);
	CHECK_MEM(small, "1234", 4);
	REFUSES(brood_call(brood, job_echo, large, sizeof large, (char *)(uintptr_t)bad_address(),
			sizeof large, &handed, &v),
		-EFAULT, "reply");
	/* a wrong size of the buffer, which nobody can find out */
	CHECK_EQ(brood_call(brood, job_echo, "1234", 4, small, SSIZE_MAX, NULL, &v), 4);
	CHECK_EQ(brood_call(brood, job_echo, small, 0, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(brood_call_named(brood, job_nothing, "\n\033[2Jevil", NULL, 0, NULL, 0, NULL, &v),
		0);
	CHECK_STR(v.name, "  [2Jevil");
	CHECK_EQ(brood_call_named(brood, job_nothing, NULL, NULL, 0, NULL, 0, NULL, &v), 0);
	CHECK_STR(v.name, "  [2Jevil"); /* the first name stays */
	still_well();
	pool_stop(brood);
}
Test(arguments, calls) { case_run(calls, 20000); }

static void job_options(void)
{
	struct brood_job_options o = { .size = sizeof o };
	struct brood_handle *h = NULL;
	int fd = -7;

	start();
	REFUSES(brood_open(brood, job_echo, NULL, NULL, &h), -EINVAL, "ret_fd");
	o.size = 0;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "size");
	o.size = SIZE_MAX;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "size");
	o.size = sizeof o;
	o.flags = UINT32_MAX;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "flags");
	o.flags = 0;
	o.arg_size = SIZE_MAX;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "BROOD_ARG_MAX");
	o.arg_size = 1;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "arg is NULL");
	REFUSES(brood_call(brood, job_echo, NULL, 0, NULL, 0, &o, NULL), -EINVAL, "arg is NULL");
	o.arg_size = 0;
	o.reserved[sizeof o.reserved / sizeof o.reserved[0] - 1] = 1;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "reserved");
	REFUSES(brood_give(brood, job_echo, INT_MAX, NULL, &h), -EBADF, "not open");
	REFUSES(brood_give(brood, job_echo, INT_MIN, NULL, &h), -EBADF, "not open");
	CHECK_EQ(fd, -7);
	CHECK(h == NULL);
	CHECK_EQ(pool_stats(brood).submitted, 0);
	still_well();
	pool_stop(brood);
}
Test(arguments, job_options) { case_run(job_options, 20000); }

/* What 0.3.0 has added. */
static void newer_job_options(void)
{
	const struct brood_job_options good = { .size = sizeof good };
	struct brood_job_options o = good;
	char tag[BROOD_TAG_MAX + 1];
	struct brood_handle *h = NULL;
	int fd = -7;

	memset(tag, 'x', sizeof tag);
	tag[BROOD_TAG_MAX] = '\0';
	start();
	o.pool = (struct brood_pool *)(uintptr_t)tag;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "pool is none that brood_pool");
	o = good;
	o.tag = tag;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "tag is longer than 63 bytes");
	o = good;
	o.retry_on = BROOD_RETRY_MEMORY << 1;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "retry_on 0x10 has bits");
	o = good;
	o.retry_pause_ms = BROOD_FOREVER;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "retry_pause_ms must not be");
	o = good;
	o.priority = BROOD_BACKGROUND + 1;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "priority is 2: one of enum");
	o = good;
	o.reserved32 = 1;
	REFUSES(brood_open(brood, job_echo, &o, &fd, &h), -EINVAL, "reserved fields must be zero");
	CHECK_EQ(fd, -7);
	CHECK(h == NULL);
	CHECK_EQ(pool_stats(brood).submitted, 0);
	still_well();
	pool_stop(brood);
}
Test(arguments, newer_job_options) { case_run(newer_job_options, 20000); }

/* ---- handles ---- */

static void handles(void)
{
	struct brood_verdict v = { .id = 77 };
	struct brood_handle *h;
	int fd;

	start();
	REFUSES(brood_fetch(NULL, &v), -EINVAL, "brood_fetch");
	REFUSES(brood_wait(NULL, 0, &v), -EINVAL, "brood_wait");
	CHECK_EQ(brood_id(NULL), 0);
	CHECK(brood_release(NULL) == NULL);
	REFUSES(brood_cancel(brood, 0), -ENOENT, "no job");
	REFUSES(brood_cancel(brood, UINT64_MAX), -ENOENT, "no job");
	CHECK_EQ(brood_open(brood, job_echo, NULL, &fd, &h), 0);
	REFUSES(brood_fetch(h, &v), -EAGAIN, "no verdict yet");
	REFUSES(brood_wait(h, 0, &v), -ETIMEDOUT, "no verdict");
	CHECK_EQ(v.id, 77);
	close(fd);
	CHECK_EQ(brood_wait(h, BROOD_FOREVER, NULL), 0);
	CHECK_EQ(brood_fetch(h, NULL), 0);
	CHECK(brood_release(h) == NULL);
	still_well();
	pool_stop(brood);
}
Test(arguments, handles) { case_run(handles, 20000); }

/* ---- the rest of the engine's side ---- */

static void others(void)
{
	int fds[BROOD_INIT_FDS_MAX + 1] = { 0 };
	char text[4096];

	start();
	REFUSES(brood_stats(brood, NULL), -EINVAL, "ret_stats");
	REFUSES(brood_set_init_data(brood, NULL, 5, NULL, 0), -EINVAL, "NULL");
	REFUSES(brood_set_init_data(brood, "x", 1, NULL, 1), -EINVAL, "NULL");
	REFUSES(brood_set_init_data(brood, "x", ((size_t)1 << 30) + 1, NULL, 0), -E2BIG, "1 GiB");
	REFUSES(brood_set_init_data(brood, "x", SIZE_MAX, NULL, 0), -E2BIG, "1 GiB");
	REFUSES(brood_set_init_data(brood, NULL, 0, fds, BROOD_INIT_FDS_MAX + 1), -E2BIG, "fds");
	REFUSES(brood_set_init_data(brood, NULL, 0, fds, SIZE_MAX), -E2BIG, "fds");
	fds[1] = 999;
	REFUSES(brood_set_init_data(brood, NULL, 0, fds, 2), -EBADF, "init data");
	fds[1] = -1;
	REFUSES(brood_set_init_data(brood, NULL, 0, fds, 2), -EBADF, "init data");
	REFUSES(brood_set_init_data(brood, bad_address(), 5, NULL, 0), -EFAULT, "init_data");
	/* none of those was a version */
	CHECK_EQ(brood_set_init_data(brood, NULL, 0, NULL, 0), 1);
	REFUSES(brood_notify_status(brood, NULL), -EINVAL, "text");
	REFUSES(brood_notify(brood, NULL), -EINVAL, "fields is NULL");
	REFUSES(brood_notify(brood, ""), -EINVAL, "RELOADING=1");
	REFUSES(brood_notify(brood, "READY=1\n"), -EINVAL, "line 2");
	REFUSES(brood_notify(brood, "ready=1"), -EINVAL, "A-Z");
	REFUSES(brood_notify(brood, "STATUS=a\tb"), -EINVAL, "brood_notify_status()");
	REFUSES(brood_notify(brood, "STATUS=a\nMAINPID=1"), -EINVAL, "MAINPID in line 2");
	REFUSES(brood_notify(brood, "BARRIER=1"), -EINVAL, "brood_notify_barrier()");
	CHECK_EQ(brood_notify(brood, "X_MINE=1"), 0);
	CHECK_EQ(brood_notify_barrier(brood, 10000), 0);
	memset(text, '\n', sizeof text);
	text[sizeof text - 1] = '\0';
	CHECK_EQ(brood_notify_status(brood, text), 0);
	CHECK_EQ(brood_notify_status(brood, ""), 0);
	CHECK_EQ(brood_get_init_data(NULL), -EINVAL);
	CHECK_EQ(brood_wait_ready(brood, 0), 0);
	CHECK_GE(brood_fd(brood), 0);
	still_well();
	pool_stop(brood);
}
Test(arguments, the_rest) { case_run(others, 20000); }

/* ---- after the stop ---- */

static void afterwards(void)
{
	struct brood_verdict v = { .id = 77 };
	struct brood_handle *h, *other = NULL;
	struct brood_stats stats;
	int fd, pair[2];

	start();
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h), 0);
	pool_stop(brood);
	REFUSES(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), -ESHUTDOWN,
		"brood_stop");
	CHECK_EQ(v.id, 77);
	REFUSES(brood_open(brood, job_nothing, NULL, &fd, &other), -ESHUTDOWN, "brood_stop");
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	REFUSES(brood_give(brood, job_nothing, pair[0], NULL, &other), -ESHUTDOWN, "brood_stop");
	CHECK(fcntl(pair[0], F_GETFD) >= 0);
	REFUSES(brood_cancel(brood, brood_id(h)), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_fd(brood), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_dispatch(brood), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_wait_ready(brood, 0), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_set_init_data(brood, "x", 1, NULL, 0), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_notify_ready(brood), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_notify(brood, "X_MINE=1"), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_notify_barrier(brood, 0), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_notify_status(brood, "x"), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_stop(brood), -ESHUTDOWN, "brood_stop");
	CHECK(other == NULL);
	CHECK_EQ(brood_wait(h, 0, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(brood_fetch(h, &v), 0);
	CHECK_EQ(brood_id(h), v.id);
	brood_release(h);
	CHECK_EQ(brood_stats(brood, &stats), 0);
	CHECK_EQ(stats.verdicts[BROOD_DONE], 1);
	CHECK_EQ(stats.ready, 0);
}
Test(arguments, after_the_stop) { case_run(afterwards, 20000); }

/* ---- in a worker ---- */

#define WANT(e)                          \
	do {                             \
		if (!(e))                \
			return __LINE__; \
	} while (0)

static int asks_oddly(struct brood_job *job)
{
	struct brood_init_data data;
	static char nothing[1 << 20];
	size_t size = 77;

	WANT(brood_job_read(job, nothing, 0) == 0);
	WANT(brood_job_read_all(job, nothing, 0) == 0);
	WANT(brood_job_write(job, nothing, 0) == 0);
	/* returns what is there, whatever the caller asked for */
	WANT(brood_job_read(job, nothing, SIZE_MAX) == 5);
	WANT(memcmp(nothing, "12345", 5) == 0);
	WANT(brood_job_arg(job, NULL) && brood_job_arg(job, &size) && size == 0);
	WANT(brood_get_init_data(NULL) == -EINVAL);
	WANT(brood_get_init_data(&data) == 0 && data.version == 0 && data.data_size == 0 &&
		data.fds_count == 0);
	WANT(brood_job_log(job, (enum brood_level)0, "x") == -EINVAL);
	WANT(brood_job_log(job, (enum brood_level) - 1, "x") == -EINVAL);
	WANT(brood_job_log(job, (enum brood_level)8, "x") == -EINVAL);
	WANT(brood_rearm() == 0);
	WANT(brood_fetch(NULL, NULL) == -EPERM && brood_wait(NULL, 0, NULL) == -EPERM &&
		brood_release(NULL) == NULL);
	WANT(brood_stop(NULL) == -EPERM && brood_stats(NULL, NULL) == -EPERM &&
		brood_fd(NULL) == -EPERM);
	WANT(brood_job_reply(job, nothing, 0) == 0);
	WANT(brood_job_write(job, "x", 1) == -EPIPE); /* no SIGPIPE */
	WANT(brood_job_reply(job, "x", 1) == -EPIPE);
	WANT(brood_job_cancel_fd(job) == brood_job_cancel_fd(job));
	WANT(brood_job_fd(job) == brood_job_fd(job) && brood_job_attempt(job) == 1);
	return 0;
}

static void in_worker(void)
{
	struct brood_verdict v;

	start();
	v = pool_call(brood, asks_oddly, "asks_oddly", "12345", 5, NULL);
	CHECK_MSG(v.outcome == BROOD_DONE && v.left == 0, "%s, line %d, left %x",
		brood_outcome_name(v.outcome), v.code, v.left);
	still_well();
	pool_stop(brood);
}
Test(arguments, in_a_worker) { case_run(in_worker, 20000); }

/* ---- a job that gives jobs ---- */

/* Each such call is refused by name, and the sentence says why. */
static int refused_by_name(ssize_t r, const char *call)
{
	return r == -EPERM && strncmp(brood_error(), call, strlen(call)) == 0 &&
		strstr(brood_error(), ": this is a worker") &&
		strstr(brood_error(), "A job cannot give jobs");
}
#define IS_REFUSED(call, name) WANT(refused_by_name(call, name ": "))

static int no_item(void *context, size_t index, const struct brood_result *result)
{
	(void)context;
	(void)index;
	return result == NULL;
}

static int gives_jobs(struct brood_job *job)
{
	struct iovec piece = { .iov_base = (void *)(uintptr_t) "x", .iov_len = 1 };
	struct brood_handle *handle = NULL;
	const struct brood_result *result;
	struct brood_queue *queue = NULL;
	struct brood_lease *lease = NULL;
	struct brood_submission many = { .size = sizeof many };
	struct brood_verdict v;
	uint64_t id = 0;
	int fd = -1;

	IS_REFUSED(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), "brood_call");
	IS_REFUSED(brood_callv(brood, job_nothing, &piece, 1, NULL, 0, NULL, &v), "brood_callv");
	IS_REFUSED(brood_open(brood, job_nothing, NULL, &fd, &handle), "brood_open");
	IS_REFUSED(brood_give(brood, job_nothing, 0, NULL, &handle), "brood_give");
	IS_REFUSED(brood_submit(brood, job_nothing, NULL, 0, NULL, &id), "brood_submit");
	IS_REFUSED(brood_submitv(brood, job_nothing, &piece, 1, NULL, &id), "brood_submitv");
	IS_REFUSED(brood_submit_many(brood, job_nothing, &many, 1, NULL), "brood_submit_many");
	IS_REFUSED(brood_map(brood, job_nothing, &piece, 1, NULL, no_item, NULL), "brood_map");
	IS_REFUSED(brood_lease(brood, NULL, &lease), "brood_lease");
	IS_REFUSED(brood_queue_new(brood, NULL, &queue), "brood_queue_new");
	WANT(brood_own_queue(brood) == NULL && strstr(brood_error(), "brood_own_queue: "));
	IS_REFUSED(brood_queue_wait(own_queue, 0), "brood_queue_wait");
	IS_REFUSED(brood_wait_id(own_queue, 1, 0, &result), "brood_wait_id");
	IS_REFUSED(brood_queue_cancel(own_queue), "brood_queue_cancel");
	WANT(!handle && !queue && !lease && id == 0 && many.id == 0 && fd == -1);
	return brood_job_reply(job, "well", 4) == 4 ? 0 : __LINE__;
}

static void jobs_from_jobs(void)
{
	const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };

	start();
	own_queue = brood_own_queue(brood);
	for (size_t i = 0; i < 2; i++) {
		struct brood_job_options o = { .size = sizeof o, .dispatch = paths[i] };
		struct brood_verdict v = pool_call_with(brood, gives_jobs, &o);

		CHECK_MSG(v.outcome == BROOD_DONE && v.left == 0, "%s, line %d, left %x",
			brood_outcome_name(v.outcome), v.code, v.left);
	}
	still_well();
	pool_stop(brood);
}
Test(arguments, a_job_gives_no_jobs) { case_run(jobs_from_jobs, 20000); }
