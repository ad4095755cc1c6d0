/* SPDX-License-Identifier: MIT */
/* inline.c - BROOD_INLINE: the same calls and verdicts without a process. */
#include "pool.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(inline_mode, .timeout = 60);

static struct brood *start_inline(const struct brood_options *options)
{
	struct brood_options o = options ? *options : (struct brood_options){ 0 };
	struct brood *brood = NULL;
	pid_t before = getpid();
	pid_t pids[4];

	o.size = sizeof o;
	o.flags |= BROOD_INLINE;
	CHECK_MSG(brood_start(&o, &brood) == 0, "%s", brood_error());
	CHECK_EQ(getpid(), before);
	CHECK_EQ(proc_children(before, pids, 4), 0);
	CHECK_EQ(brood_wait_ready(brood, 0), 0);
	CHECK_EQ(brood_role(), BROOD_ROLE_ENGINE);
	return brood;
}

static int job_seven(struct brood_job *job)
{
	(void)job;
	return 7;
}

static int job_arg(struct brood_job *job)
{
	size_t size;
	const void *arg = brood_job_arg(job, &size);

	return brood_job_reply(job, arg, size) == (ssize_t)size && brood_job_request_size(job) == 5
		? 0
		: 1;
}

static void calls(void)
{
	struct brood *brood = start_inline(NULL);
	struct brood_job_options o = { .size = sizeof o, .arg = "argument", .arg_size = 8 };
	struct brood_verdict v;
	char reply[16];

	CHECK_EQ(brood_call(brood, job_echo, "hello", 5, reply, sizeof reply, NULL, &v), 5);
	CHECK_MEM(reply, "hello", 5);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.pid, getpid());
	CHECK_STR(v.name, "job_echo");
	CHECK_EQ(brood_call(brood, job_seven, NULL, 0, NULL, 0, NULL, &v), 0);
	CHECK_EQ(v.outcome, BROOD_FAILED);
	CHECK_EQ(v.code, 7);
	CHECK_EQ(v.id, 2);
	CHECK_EQ(brood_call(brood, job_arg, "12345", 5, reply, sizeof reply, &o, NULL), 8);
	CHECK_MEM(reply, "argument", 8);
	CHECK_EQ(brood_call(brood, job_echo, "hello", 5, reply, 3, NULL, &v), -EMSGSIZE);
	CHECK_EQ(v.reply_size, 5);
	CHECK_EQ(pool_stats(brood).submitted, 4);
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 3);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_stop(brood), -ESHUTDOWN);
	CHECK_EQ(brood_call(brood, job_echo, "hello", 5, reply, 3, NULL, &v), -ESHUTDOWN);
}
Test(inline_mode, calls) { case_run(calls, 10000); }

/* Larger than any socket's buffer, both ways at once, and requests that nobody reads. */
static void large(void)
{
	struct brood *brood = start_inline(NULL);
	size_t size = 16u << 20;
	unsigned char *request = malloc(size), *reply = malloc(size);
	struct brood_verdict v;

	CHECK(request && reply);
	for (size_t i = 0; i < size; i++)
		request[i] = (unsigned char)(i * 2654435761u >> 13);
	CHECK_EQ(brood_call(brood, job_echo, request, size, reply, size, NULL, &v), (ssize_t)size);
	CHECK_MEM(request, reply, size);
	CHECK_EQ(brood_call(brood, job_seven, request, size, reply, size, NULL, &v), 0);
	CHECK_EQ(v.code, 7);
	free(request);
	free(reply);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_mode, large) { case_run(large, 20000); }

static void open_and_poll(void)
{
	struct brood *brood = start_inline(NULL);
	struct brood_handle *handle, *unread;
	struct brood_verdict v;
	struct pollfd poll_fd = { .fd = brood_fd(brood), .events = POLLIN };
	char text[8];
	int fd, other;

	CHECK_EQ(brood_open(brood, job_echo, NULL, &fd, &handle), 0);
	CHECK_EQ(brood_fetch(handle, &v), -EAGAIN);
	CHECK_EQ(poll(&poll_fd, 1, 0), 0);
	CHECK_EQ(brood_cancel(brood, brood_id(handle)), 0);
	CHECK_EQ(brood_cancel(brood, 12345), -ENOENT);
	CHECK_EQ(send(fd, "abc", 3, MSG_NOSIGNAL), 3);
	CHECK_EQ(recv(fd, text, 3, MSG_WAITALL), 3);
	CHECK_EQ(brood_wait(handle, 10, &v), -ETIMEDOUT);
	CHECK_EQ(brood_open(brood, job_echo, NULL, &other, &unread), 0);
	CHECK(!brood_release(unread));
	close(other);
	CHECK_EQ(shutdown(fd, SHUT_WR), 0);
	CHECK_EQ(recv(fd, text, sizeof text, 0), 0);
	CHECK_EQ(poll(&poll_fd, 1, 10000), 1);
	CHECK_GE(brood_dispatch(brood), 1);
	CHECK_EQ(brood_wait(handle, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.id, brood_id(handle));
	close(fd);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_fetch(handle, &v), 0);
	brood_release(handle);
}
Test(inline_mode, open_and_poll) { case_run(open_and_poll, 20000); }

static int job_takes(struct brood_job *job)
{
	int *taken = case_shared();

	*taken = brood_job_take_fd(job);
	return brood_job_write(job, "mine", 4) == 4 ? 0 : 1;
}

static void take_over(void)
{
	struct brood *brood = start_inline(NULL);
	struct brood_handle *handle;
	struct brood_verdict v;
	char reply[8];
	int *taken = case_shared(), pair[2];

	CHECK_EQ(brood_call(brood, job_takes, "x", 1, reply, sizeof reply, NULL, &v), 4);
	CHECK_GE(*taken, 0);
	CHECK_EQ(close(*taken), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(brood_give(brood, job_echo, 0, NULL, &handle) < 0, 1);
	CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
	CHECK_EQ(brood_give(brood, job_echo, pair[0], NULL, &handle), 0);
	CHECK_EQ(brood_fetch(handle, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(recv(pair[1], reply, sizeof reply, 0), 0);
	brood_release(handle);
	close(pair[1]);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_mode, take_over) { case_run(take_over, 10000); }

static void refused_pointer(void)
{
	struct brood *brood = start_inline(NULL);
	struct brood_verdict v = { 0 };
	int fd = -1;

	CHECK_EQ(brood_call(brood, (brood_fn *)(uintptr_t)case_shared(), "", 0, NULL, 0, NULL, &v),
		-EFAULT);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_BAD_POINTER);
	CHECK_EQ(v.started, 0);
	CHECK_EQ(brood_open(brood, (brood_fn *)(uintptr_t)&v, NULL, &fd, NULL), -EFAULT);
	CHECK_EQ(fd, -1);
	CHECK_EQ(brood_open(brood, NULL, NULL, &fd, NULL), -EFAULT);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_mode, refused_pointer) { case_run(refused_pointer, 10000); }

static int init_hook(void *context) { return ++*(int *)context == 1 ? 0 : 5; }
static void exit_hook(void *context) { *(int *)context += 100; }
static void on_log(void *context, const struct brood_log *log)
{
	snprintf(context, 100, "%s: %s", brood_event_name(log->event), log->text);
}

static int job_logs(struct brood_job *job)
{
	struct brood_init_data data;

	if (brood_get_init_data(&data) < 0 || data.version != 1 || data.data_size != 4 ||
		memcmp(data.data, "data", 4) != 0 || data.fds_count != 1)
		return 1;
	if (write(data.fds[0], "!", 1) != 1)
		return 2;
	return brood_job_log(job, BROOD_INFO, "seen %d", 42);
}

static void hooks_logs_and_data(void)
{
	char text[100] = "", byte;
	int count = 0, pipe_fds[2];
	struct brood_options o = { .worker_init = init_hook,
		.worker_exit = exit_hook,
		.hook_context = &count,
		.log = on_log,
		.log_context = text };
	struct brood *brood = start_inline(&o);
	struct brood_verdict v;

	CHECK_EQ(count, 1);
	CHECK_EQ(pipe(pipe_fds), 0);
	CHECK_EQ(brood_set_init_data(brood, "data", 4, &pipe_fds[1], 1), 1);
	v = pool_call(brood, job_logs, "job_logs", "", 0, NULL);
	CHECK_EQ(v.code, 0);
	CHECK_STR(text, "job-log: seen 42");
	CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(count, 101);
	close(pipe_fds[1]);
	CHECK_EQ(read(pipe_fds[0], &byte, 1), 0);
}
Test(inline_mode, hooks_logs_and_data) { case_run(hooks_logs_and_data, 10000); }

static int init_has_none(void *context)
{
	struct brood_init_data data;

	return brood_get_init_data(&data) == 0 && data.version == 0 && data.data_size == 0 &&
			data.fds_count == 0
		? 0
		: ++*(int *)context;
}

/* As in a worker, there is data of version 0 before any was set, and a wrong call says the same. */
static void data_before_it_is_set(void)
{
	int wrong = 0, fds[BROOD_INIT_FDS_MAX + 1] = { 0 };
	struct brood_options o = { .worker_init = init_has_none, .hook_context = &wrong };
	struct brood_init_data data;
	struct brood *brood;

	CHECK_EQ(brood_get_init_data(&data), -EPERM);
	brood = start_inline(&o);
	CHECK_EQ(brood_get_init_data(NULL), -EINVAL);
	CHECK_EQ(brood_set_init_data(brood, NULL, 1, fds, BROOD_INIT_FDS_MAX + 1), -E2BIG);
	CHECK_EQ(brood_set_init_data(brood, NULL, 1, NULL, 0), -EINVAL);
	CHECK_EQ(brood_set_init_data(brood, NULL, 0, NULL, 0), 1);
	CHECK_EQ(brood_get_init_data(&data), 0);
	CHECK_EQ(data.version, 1);
	CHECK(!data.data && !data.fds);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_get_init_data(&data), -EPERM);
}
Test(inline_mode, data_before_it_is_set) { case_run(data_before_it_is_set, 10000); }

#define VERSIONS 3000u

static int job_sees_one_version(struct brood_job *job)
{
	struct brood_init_data data;

	(void)job;
	for (int i = 0; i < 100; i++)
		if (brood_get_init_data(&data) < 0 || data.data_size != data.version ||
			(data.data_size > 0 && *(const char *)data.data != (char)data.version))
			return 1;
	return data.version == VERSIONS ? 2 : 0;
}

static void *reads_data(void *brood)
{
	int code;

	while ((code = POOL_CALL(brood, job_sees_one_version).code) == 0)
		;
	CHECK_EQ(code, 2);
	return NULL;
}

/* Threads run jobs while another one sets data: each job sees a version as it was set. */
static void data_is_set_meanwhile(void)
{
	struct brood *brood = start_inline(NULL);
	static char bytes[VERSIONS];
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, reads_data, brood), 0);
	for (uint32_t i = 1; i <= VERSIONS; i++) {
		bytes[0] = (char)i;
		CHECK_EQ(brood_set_init_data(brood, bytes, i, NULL, 0), i);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(pool_stats(brood).busy, 0);
	CHECK_EQ(pool_stats(brood).idle, 1);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_mode, data_is_set_meanwhile) { case_run(data_is_set_meanwhile, 30000); }

static void init_says_no(void)
{
	int count = 7, fds = proc_own_fds();
	struct brood_options o = { .size = sizeof o,
		.flags = BROOD_INLINE,
		.worker_init = init_hook,
		.hook_context = &count };
	struct brood *brood;

	CHECK_EQ(brood_start(&o, &brood), -ECANCELED);
	CHECK_CONTAINS(brood_error(), "worker_init returned 5");
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(brood_role(), BROOD_ROLE_NONE);
}
Test(inline_mode, init_says_no) { case_run(init_says_no, 10000); }

/* Threads may be there already: nobody forks. */
static void *call_often(void *arg)
{
	for (int i = 0; i < 50; i++) {
		char reply[16] = "";

		CHECK_EQ(brood_call(arg, job_echo, "abc", 3, reply, sizeof reply, NULL, NULL), 3);
		CHECK_STR(reply, "abc");
	}
	return NULL;
}

static void threads(void)
{
	struct brood *brood = start_inline(NULL);
	pthread_t all[4];
	int fds = proc_own_fds();

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&all[i], NULL, call_often, brood), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(all[i], NULL);
	CHECK_EQ(proc_own_fds(), fds);
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 200);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_mode, threads) { case_run(threads, 30000); }

/* What still runs when the time is up is lost, and its end changes nothing any more. */
static int job_waits(struct brood_job *job)
{
	char byte;

	return brood_job_read(job, &byte, 1) == 1 ? 0 : 1;
}

static void stop_with_jobs(void)
{
	struct brood_options o = { .drain_ms = 20, .stop_ms = 20 };
	struct brood *brood = start_inline(&o);
	struct brood_handle *handle;
	struct brood_verdict v;
	int fd;

	CHECK_EQ(brood_open(brood, job_waits, NULL, &fd, &handle), 0);
	CHECK_EQ(brood_stop(brood), -ETIMEDOUT);
	CHECK_EQ(brood_fetch(handle, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(v.detail, BROOD_DETAIL_STOP_TIME);
	brood_release(handle);
	CHECK_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	CHECK(WAIT_UNTIL(proc_threads(getpid()) == 1, 10000));
	close(fd);
}
Test(inline_mode, stop_with_jobs) { case_run(stop_with_jobs, 20000); }

static void forked_child(void)
{
	struct brood *brood = start_inline(NULL);
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(brood_role() == BROOD_ROLE_FORKED &&
					brood_call(brood, job_nothing, "", 0, NULL, 0, NULL,
						NULL) == -EPERM
				? 0
				: 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_mode, forked_child) { case_run(forked_child, 10000); }

/* The program is the service's main process itself: fields are checked, and nothing is sent. */
static void notifies(void)
{
	struct brood_options options = { .size = sizeof options, .flags = BROOD_INLINE };
	struct brood *brood;

	setenv("NOTIFY_SOCKET", "@nobody-is-there", 1);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_notify(brood, "RELOADING=1"), 0);
	REFUSES(brood_notify(brood, "reloading"), -EINVAL, "KEY=VALUE");
	CHECK_EQ(brood_notify_barrier(brood, 0), 0);
	CHECK_EQ(brood_stop(brood), 0);
	REFUSES(brood_notify(brood, "RELOADING=1"), -ESHUTDOWN, "brood_stop");
	REFUSES(brood_notify_barrier(brood, 0), -ESHUTDOWN, "brood_stop");
}
Test(inline_mode, notifies) { case_run(notifies, 10000); }

static void metrics(void)
{
	struct brood *brood = start_inline(NULL);
	static char text[65536];
	char reply[8];
	ssize_t length;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(brood_call(brood, job_seven, NULL, 0, reply, sizeof reply, NULL, NULL), 0);
	length = brood_metrics(brood, text, sizeof text);
	CHECK(length > 0 && text[length] == '\0' && strlen(text) == (size_t)length);
	CHECK_CONTAINS(
		text, "\nbrood_jobs_total{pool=\"main\",outcome=\"failed\",detail=\"\"} 5\n");
	CHECK_CONTAINS(text, "\nbrood_run_seconds_count{pool=\"main\"} 5\n");
	CHECK_EQ(strcmp(text + length - 6, "# EOF\n"), 0);
	CHECK(brood_metrics(brood, NULL, 0) > length);
	CHECK_EQ(brood_metrics(brood, text, (size_t)length), -ENOSPC);
	CHECK_EQ(brood_metrics(brood, text, (size_t)length + 1), length);
	CHECK_EQ(brood_metrics(brood, NULL, 1), -EINVAL);
	CHECK_EQ(brood_metrics(NULL, text, sizeof text), -EINVAL);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(brood_metrics(brood, text, sizeof text), length);
}
Test(inline_mode, metrics) { case_run(metrics, 10000); }
