/* SPDX-License-Identifier: MIT */
/*
 * calls.c - open, give and call as a user makes them: any size, any thread, any end. The list of
 * tests of the first design is among them.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(calls, .timeout = 240);

static struct brood *brood;

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .log = note_log };

	brood = pool_start(&options);
}

/* ---- sizes ---- */

static unsigned char byte_at(size_t i, unsigned salt)
{
	return (unsigned char)((i * 2654435761u + salt) >> 11);
}

static void echo_of(size_t size)
{
	unsigned char *request = malloc(size + 1), *reply = malloc(size + 1);
	struct brood_verdict v;
	ssize_t n;

	CHECK(request && reply);
	for (size_t i = 0; i < size; i++)
		request[i] = byte_at(i, (unsigned)size);
	n = brood_call(brood, job_echo, request, size, reply, size, NULL, &v);
	CHECK_MSG(n == (ssize_t)size, "%zd of %zu", n, size);
	CHECK_EQ(v.reply_size, size);
	CHECK_MEM(request, reply, size);
	free(request);
	free(reply);
}

static void sizes(void)
{
	const size_t list[] = { 0, 1, 15, 1023, 1024, 1025, 4096, 65535, 65536, 65537, 212960,
		1 << 20, (64 << 20) + 3 };

	start(2);
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
		echo_of(list[i]);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
Test(calls, any_size) { case_run(sizes, 120000); }

static int request_size(struct brood_job *job)
{
	size_t size = brood_job_request_size(job);

	return size == BROOD_SIZE_UNKNOWN ? -1 : (int)size;
}
static int arg_echo(struct brood_job *job)
{
	size_t size;
	const void *arg = brood_job_arg(job, &size);

	return brood_job_reply(job, arg, size) == (ssize_t)size ? 0 : 1;
}

static void facts_of_a_job(void)
{
	struct brood_job_options job = { .size = sizeof job };
	unsigned char arg[BROOD_ARG_MAX + 1], reply[BROOD_ARG_MAX];
	struct brood_verdict v;
	char line[256];
	int fd;

	start(1);
	for (size_t i = 0; i < sizeof arg; i++)
		arg[i] = byte_at(i, 3);
	CHECK_EQ(brood_call(brood, request_size, "seventeen bytes..", 17, NULL, 0, NULL, &v), 0);
	CHECK_EQ(v.code, 17);
	job.arg = arg;
	for (job.arg_size = 0; job.arg_size <= BROOD_ARG_MAX; job.arg_size += 128) {
		CHECK_EQ(brood_call(brood, arg_echo, NULL, 0, reply, sizeof reply, &job, &v),
			job.arg_size);
		CHECK_MEM(arg, reply, job.arg_size);
	}
	job.arg_size = BROOD_ARG_MAX + 1;
	CHECK_EQ(brood_call(brood, arg_echo, NULL, 0, reply, sizeof reply, &job, &v), -EINVAL);
	CHECK_CONTAINS(brood_error(), "1024");
	CHECK_EQ(brood_open(brood, arg_echo, &job, &fd, NULL), -EINVAL);
	CHECK_GT(brood_verdict_format(&v, line, 10), 9);
	CHECK_EQ(strlen(line), 9);
	pool_stop(brood);
}
Test(calls, facts_of_a_job) { case_run(facts_of_a_job, 30000); }

/* ---- conversations ---- */

static int upper_lines(struct brood_job *job)
{
	char c;

	while (brood_job_read(job, &c, 1) == 1) {
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		if (brood_job_write(job, &c, 1) != 1)
			return 1;
	}
	return 0;
}

static void conversation(void)
{
	struct brood_handle *h;
	struct brood_verdict v;
	char c;
	int fd;

	start(1);
	CHECK_EQ(brood_open(brood, upper_lines, NULL, &fd, &h), 0);
	CHECK_EQ(brood_fetch(h, &v), -EAGAIN);
	for (int i = 0; i < 500; i++) { /* talkative */
		CHECK_EQ(write(fd, &(char){ (char)('a' + i % 26) }, 1), 1);
		CHECK_EQ(read(fd, &c, 1), 1);
		CHECK_EQ(c, 'A' + i % 26);
	}
	CHECK_EQ(brood_wait(h, 20, &v), -ETIMEDOUT);
	CHECK_EQ(shutdown(fd, SHUT_WR), 0);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(brood_fetch(h, &v), 0); /* again */
	brood_release(h);
	close(fd);
	CHECK(brood_release(NULL) == NULL);
	pool_stop(brood);
}
Test(calls, conversation) { case_run(conversation, 30000); }

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void hundreds_by(enum brood_path path)
{
	struct brood_job_options by = { .size = sizeof by, .dispatch = path };
	struct brood_handle *h[100];
	struct brood_verdict v;
	uint64_t ids[400];
	int fds[100];

	start(4);
	for (int round = 0; round < 4; round++) { /* 400 jobs, 100 at a time */
		for (int i = 0; i < 100; i++) {
			CHECK_EQ(brood_open(brood, job_echo, &by, &fds[i], &h[i]), 0);
			ids[round * 100 + i] = brood_id(h[i]);
			CHECK_EQ(write(fds[i], &i, sizeof i), sizeof i);
			CHECK_EQ(shutdown(fds[i], SHUT_WR), 0);
		}
		for (int i = 99; i >= 0; i--) {
			int back;

			CHECK_EQ(recv(fds[i], &back, sizeof back, MSG_WAITALL), sizeof back);
			CHECK_EQ(back, i);
			CHECK_EQ(brood_wait(h[i], 20000, &v), 0);
			CHECK_EQ(v.outcome, BROOD_DONE);
			CHECK_EQ(v.id, brood_id(h[i]));
			brood_release(h[i]);
			close(fds[i]);
		}
	}
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 400);
	qsort(ids, 400, sizeof ids[0], compare_ids);
	for (int i = 1; i < 400; i++)
		CHECK_GT(ids[i], ids[i - 1]); /* none twice */
	pool_stop(brood);
}
static void hundreds(void) { hundreds_by(BROOD_PATH_AUTO); }
static void hundreds_handed_off(void) { hundreds_by(BROOD_PATH_HANDOFF); }
Test(calls, four_hundred_jobs)
{
	case_run(hundreds, 60000);
	case_run(hundreds_handed_off, 60000);
}

/* ---- threads, all kinds of calls at once ---- */

static void *mixed(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number;

	for (int i = 0; i < 60; i++) {
		struct brood_handle *h;
		struct brood_verdict v;
		char c;
		int fd;

		switch (rand_r(&state) % 4) {
		case 0: echo_of((size_t)(rand_r(&state) % 300000)); break;
		case 1:
			CHECK_EQ(brood_open(brood, upper_lines, NULL, &fd, &h), 0);
			CHECK_EQ(write(fd, "q", 1), 1);
			CHECK_EQ(read(fd, &c, 1), 1);
			CHECK_EQ(c, 'Q');
			close(fd);
			CHECK_EQ(brood_wait(h, 20000, &v), 0);
			CHECK_EQ(v.outcome, BROOD_DONE);
			brood_release(h);
			break;
		case 2:
			CHECK_EQ(brood_open(brood, job_until_cancelled, NULL, &fd, &h), 0);
			CHECK_EQ(brood_cancel(brood, brood_id(h)), 0);
			CHECK_EQ(brood_wait(h, 20000, &v), 0);
			CHECK(v.outcome == BROOD_CANCELLED || v.code == 42);
			brood_release(h);
			close(fd);
			break;
		default:
			CHECK_GE(brood_dispatch(brood), 0);
			CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
		}
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t[12];

	start(3);
	for (uintptr_t i = 0; i < 12; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, mixed, (void *)(i + 1)), 0);
	for (int i = 0; i < 12; i++)
		pthread_join(t[i], NULL);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
}
Test(calls, from_many_threads) { case_run(threads, 120000); }

/* ---- a call is cancelled from another thread ---- */

static void *cancels(void *id)
{
	CHECK(WAIT_UNTIL(__atomic_load_n((uint64_t *)id, __ATOMIC_ACQUIRE) != 0 &&
			pool_stats(brood).busy == 1,
		10000));
	CHECK_EQ(brood_cancel(brood, *(uint64_t *)id), 0);
	return NULL;
}

static void cancelled_call(void)
{
	uint64_t id = 0;
	struct brood_job_options job = { .size = sizeof job, .ret_id = &id };
	struct brood_verdict v;
	pthread_t thread;

	start(1);
	CHECK_EQ(pthread_create(&thread, NULL, cancels, &id), 0);
	CHECK_EQ(brood_call(brood, job_sleep_forever, NULL, 0, NULL, 0, &job, &v), -ECANCELED);
	CHECK_EQ(v.outcome, BROOD_CANCELLED);
	CHECK_EQ(v.id, id);
	pthread_join(thread, NULL);
	pool_stop(brood);
}
Test(calls, cancelled_from_another_thread) { case_run(cancelled_call, 30000); }

/* ---- one pollable fd ---- */

static void pollable_by(enum brood_path path)
{
	struct brood_options options = { .workers = 2, .dispatch = path, .log = note_log };
	struct brood_handle *h[10];
	struct brood_verdict v;
	struct pollfd p;
	int fds[10], arrived = 0;

	brood = pool_start(&options);
	p = (struct pollfd){ .fd = brood_fd(brood), .events = POLLIN };
	CHECK_GE(p.fd, 0);
	CHECK_EQ(brood_fd(brood), p.fd);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(brood_open(brood, job_nothing, NULL, &fds[i], &h[i]), 0);
	while (arrived < 10) {
		int n;

		CHECK_EQ(poll(&p, 1, test_scaled(10000)), 1);
		n = brood_dispatch(brood);
		CHECK_GE(n, 0);
		arrived += n;
	}
	CHECK_EQ(arrived, 10);
	if (path == BROOD_PATH_HANDOFF)
		CHECK_EQ(poll(&p, 1, 0), 0);
	/* messages about leases are work for the engine, but they come to an end */
	else
		CHECK(WAIT_UNTIL(brood_dispatch(brood) == 0 && poll(&p, 1, 0) == 0, 10000));
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(brood_fetch(h[i], &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		brood_release(h[i]);
		close(fds[i]);
	}
	pool_stop(brood);
}
static void pollable(void) { pollable_by(BROOD_PATH_HANDOFF); }
static void pollable_as_it_comes(void) { pollable_by(BROOD_PATH_AUTO); }
Test(calls, one_pollable_fd)
{
	case_run(pollable, 30000);
	case_run(pollable_as_it_comes, 30000);
}

/* ---- misuse ---- */

static int calls_from_a_worker(struct brood_job *job)
{
	struct brood_options options = { .size = sizeof options };
	struct brood *other = NULL;
	char c;

	(void)job;
	if (brood_role() != BROOD_ROLE_WORKER)
		return 1;
	if (brood_start(&options, &other) != -EPERM || other)
		return 2;
	if (brood_call(brood, job_nothing, NULL, 0, &c, 1, NULL, NULL) != -EPERM)
		return 3;
	return brood_dispatch(brood) == -EPERM ? 0 : 4;
}

static void misuse(void)
{
	struct brood_options options = { .size = sizeof options };
	struct brood *other = NULL;
	pid_t child;
	int status;

	start(1);
	CHECK_EQ(brood_role(), BROOD_ROLE_ENGINE);
	CHECK_EQ(brood_start(&options, &other), -EALREADY);
	CHECK_EQ(POOL_CALL(brood, calls_from_a_worker).code, 0);
	child = fork();
	if (child == 0) {
		struct brood_verdict v;

		CHECK_EQ(brood_role(), BROOD_ROLE_FORKED);
		CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), -EPERM);
		CHECK_EQ(brood_dispatch(brood), -EPERM);
		CHECK_EQ(brood_stop(brood), -EPERM);
		CHECK_EQ(brood_cancel(brood, 1), -EPERM);
		_exit(7);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(brood_cancel(brood, 0), -ENOENT);
	CHECK_EQ(brood_cancel(brood, 123456), -ENOENT);
	pool_stop(brood);
}
Test(calls, misuse) { case_run(misuse, 30000); }

/* ---- no memory ---- */

/* There is no memory to join the pieces: no job, but a verdict, as of any call that fails. */
static void no_memory(void)
{
	struct iovec pieces[2] = { { &brood, (size_t)SSIZE_MAX / 2 }, { &brood, 1000 } };
	struct brood_job_options wrong = { .size = 7 };
	struct brood_verdict v = { .code = 77 };

	start(1);
	CHECK_EQ(brood_callv(brood, job_echo, pieces, 2, NULL, 0, &wrong, &v), -EINVAL);
	CHECK_EQ(v.code, 77);
	CHECK_EQ(brood_callv(brood, job_echo, pieces, 2, NULL, 0, NULL, &v), -ENOMEM);
	CHECK_CONTAINS(brood_error(), "memory");
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.code, 0);
	CHECK_EQ(v.started, 0);
	CHECK_GT(v.id, 0);
	CHECK_STR(v.name, "job_echo");
	CHECK_EQ(brood_callv(brood, job_echo, pieces, 2, NULL, 0, NULL, NULL), -ENOMEM);
	pool_stop(brood);
}

/* Its malloc() ends the program where ours returns NULL. */
extern void __asan_init(void) __attribute__((weak));

Test(calls, pieces_without_memory)
{
	if (__asan_init)
		cr_skip_test("AddressSanitizer");
	case_run(no_memory, 20000);
}
