/* SPDX-License-Identifier: MIT */
/*
 * calls_carried.c - calls by handoff whose request travels in the message, and jobs that ask for
 * their socket all the same. Each case ends without a worker lost and without a file left.
 */
#include "../helpers/pool.h"
#include "../helpers/proc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(calls_carried, .timeout = 120);

#define LARGE 5000 /* more than a message takes */

static struct brood *brood;
static int files_before;

static void start(uint32_t workers)
{
	struct brood_options options = {
		.workers = workers, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};

	brood = pool_start(&options);
	files_before = proc_own_fds();
}

static void end(uint64_t died)
{
	CHECK_EQ(proc_own_fds(), files_before);
	CHECK_EQ(pool_stats(brood).died, died);
	pool_stop(brood);
}

static void fill(char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (char)(i * 31 + size);
}

/* Calls fn, whose reply shall be equal to the request. */
static void echoes(brood_fn *fn, size_t size)
{
	static char request[LARGE], reply[LARGE];
	struct brood_verdict v;

	fill(request, size);
	memset(reply, 0, sizeof reply);
	CHECK_EQ(brood_call(brood, fn, request, size, reply, sizeof reply, NULL, &v), size);
	CHECK_MEM(request, reply, size);
	CHECK_EQ(v.path, BROOD_PATH_HANDOFF);
	CHECK_EQ(v.reply_size, size);
	CHECK_EQ(v.left, 0);
}

static const size_t sizes[] = { 0, 1, 16, 1023, 1024, 1025, 1087, 1088, 1089, LARGE };

/* ---- jobs ---- */

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int echo_fd(int fd)
{
	char bytes[LARGE];
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, bytes + have, sizeof bytes - have)) > 0)
		have += (size_t)n;
	return n == 0 && send(fd, bytes, have, MSG_NOSIGNAL) == (ssize_t)have ? 0 : 1;
}

static int over_its_socket(struct brood_job *job)
{
	int fd = brood_job_fd(job);

	return is_socket(fd) && brood_job_fd(job) == fd ? echo_fd(fd) : 2;
}

/* Half in memory, half over the socket, which it asks for in between. */
static int half_and_half(struct brood_job *job)
{
	char bytes[LARGE];
	size_t half = brood_job_request_size(job) / 2;

	if (brood_job_read_all(job, bytes, half) != (ssize_t)half ||
		brood_job_write(job, bytes, half) != (ssize_t)half)
		return 2;
	return echo_fd(brood_job_fd(job));
}

/* The memory of the request stays when the job gets its socket, where nothing is left to read. */
static int asks_for_both(struct brood_job *job)
{
	size_t size;
	const void *request = brood_job_request(job, &size);
	int fd = brood_job_fd(job);
	char c;

	if (!request || !is_socket(fd) || read(fd, &c, 1) != 0 || brood_job_read(job, &c, 1) != 0)
		return 2;
	return brood_job_reply(job, request, size) == (ssize_t)size ? 0 : 3;
}

static int in_pieces(struct brood_job *job)
{
	size_t size;
	const char *request = brood_job_request(job, &size);

	for (size_t at = 0; at < size; at += 100) {
		size_t piece = size - at < 100 ? size - at : 100;

		if (brood_job_write(job, request + at, piece) != (ssize_t)piece)
			return 2;
	}
	return 0;
}

static int ends_its_reply(struct brood_job *job)
{
	char bytes[LARGE];
	ssize_t n = brood_job_read_all(job, bytes, sizeof bytes);

	if (brood_job_reply(job, bytes, (size_t)n) != n || brood_job_write(job, "x", 1) != -EPIPE)
		return 2;
	return is_socket(brood_job_fd(job)) && brood_job_write(job, "x", 1) == -EPIPE ? 0 : 3;
}

static int gives_it_to_a_child(struct brood_job *job)
{
	int fd = brood_job_take_fd(job), status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(echo_fd(fd));
	close(fd);
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

static int its_child_cannot_write(struct brood_job *job)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(brood_job_write(job, "x", 1) == -EPERM && brood_job_fd(job) == -EPERM ? 0
											    : 1);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 1;
	return brood_job_reply(job, "mine", 4) == 4 ? 0 : 2;
}

static void many_sizes(brood_fn *fn)
{
	start(1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		echoes(fn, sizes[i]);
	end(0);
}

static void by_memory(void) { many_sizes(job_echo); }
Test(calls_carried, any_size) { case_run(by_memory, 30000); }

static void by_socket(void) { many_sizes(over_its_socket); }
Test(calls_carried, the_job_asks_for_its_socket) { case_run(by_socket, 30000); }

static void by_both(void) { many_sizes(half_and_half); }
Test(calls_carried, the_job_asks_midway) { case_run(by_both, 30000); }

static void memory_stays(void) { many_sizes(asks_for_both); }
Test(calls_carried, the_request_stays_in_memory) { case_run(memory_stays, 30000); }

static void pieces(void) { many_sizes(in_pieces); }
Test(calls_carried, a_reply_outgrows_the_message) { case_run(pieces, 30000); }

static void once_ended(void) { many_sizes(ends_its_reply); }
Test(calls_carried, an_ended_reply_is_ended_with_a_socket_too) { case_run(once_ended, 30000); }

static void taken(void) { many_sizes(gives_it_to_a_child); }
Test(calls_carried, a_child_goes_on_with_the_socket) { case_run(taken, 30000); }

static void children(void)
{
	char reply[8];

	start(1);
	CHECK_EQ(brood_call(brood, its_child_cannot_write, "", 0, reply, sizeof reply, NULL, NULL),
		4);
	CHECK_MEM(reply, "mine", 4);
	end(0);
}
Test(calls_carried, a_child_speaks_for_nobody) { case_run(children, 30000); }

/* ---- the caller's buffer ---- */

static void short_buffers(void)
{
	char request[100], reply[10];
	struct brood_verdict v;

	start(1);
	fill(request, sizeof request);
	CHECK_EQ(
		brood_call(brood, job_echo, request, sizeof request, reply, sizeof reply, NULL, &v),
		-EMSGSIZE);
	CHECK_EQ(v.reply_size, sizeof request);
	CHECK_MEM(request, reply, sizeof reply);
	CHECK_EQ(brood_call(brood, job_echo, request, 1, NULL, 0, NULL, &v), -EMSGSIZE);
	CHECK_EQ(v.reply_size, 1);
	end(0);
}
Test(calls_carried, buffers_too_small) { case_run(short_buffers, 30000); }

/* ---- no room for a socket ---- */

static int without_files(struct brood_job *job)
{
	struct rlimit limit, none;
	char bytes[LARGE] = "";
	int r;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	r = brood_job_fd(job) == -EMFILE && brood_job_write(job, bytes, LARGE) == -EMFILE ? 0 : 1;
	setrlimit(RLIMIT_NOFILE, &limit);
	return r;
}

static void no_files(void)
{
	struct brood_verdict v;

	start(1);
	CHECK_EQ(brood_call(brood, without_files, "", 0, NULL, 0, NULL, &v), -ENOMEM);
	CHECK_EQ(v.outcome, BROOD_DONE);
	end(0);
}
Test(calls_carried, no_room_for_a_socket) { case_run(no_files, 30000); }

/* ---- deaths ---- */

static int dies_with_a_socket(struct brood_job *job)
{
	if (*(const char *)brood_job_request(job, NULL) == 's')
		brood_job_fd(job);
	brood_job_write(job, "part", 4);
	raise(SIGKILL);
	return 0;
}

static void deaths(void)
{
	struct brood_job_options o = {
		.size = sizeof o, .retries = 1, .retry_on = BROOD_RETRY_OUTSIDE
	};
	struct brood_verdict v;
	char reply[8];

	start(1);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(brood_call(brood, dies_with_a_socket, i ? "s" : "m", 1, reply,
				 sizeof reply, &o, &v),
			-EREMOTEIO);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
		CHECK_EQ(v.attempts, 2);
		CHECK_EQ(v.reply_size, 4);
		CHECK_MEM(reply, "part", 4);
	}
	echoes(job_echo, 16);
	CHECK(WAIT_UNTIL(pool_full(brood), POOL_READY_MS));
	end(4);
}
Test(calls_carried, a_job_dies_with_and_without_a_socket) { case_run(deaths, 60000); }

/* ---- submitted jobs ---- */

static void submitted(void)
{
	static brood_fn *const fns[] = { job_echo, over_its_socket, half_and_half, asks_for_both,
		in_pieces, ends_its_reply, gives_it_to_a_child };
	static char request[LARGE];
	struct brood_job_options o = { .size = sizeof o };
	const struct brood_result *result;
	struct brood_queue *queue;

	start(2);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	o.queue = queue;
	for (size_t f = 0; f < sizeof fns / sizeof *fns; f++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			fill(request, sizes[i]);
			CHECK_EQ(brood_submit(brood, fns[f], request, sizes[i], &o, NULL), 0);
			CHECK_EQ(brood_queue_wait(queue, 30000), 1);
			CHECK_EQ(brood_take(queue, &result, 1), 1);
			verdict_is(&result->verdict, BROOD_DONE, BROOD_DETAIL_NONE);
			CHECK_EQ(result->verdict.path, BROOD_PATH_HANDOFF);
			CHECK_EQ(result->reply_size, sizes[i]);
			CHECK_MEM(result->reply, request, sizes[i]);
		}
	}
	brood_queue_free(queue);
	end(0);
}
Test(calls_carried, submitted_jobs) { case_run(submitted, 60000); }

/* ---- a reply that is lost ---- */

/* There is no room for the socket that the second part needs; the job does not look. */
static int ignores_the_error(struct brood_job *job)
{
	static const char part[1000];
	struct rlimit none, before;
	int r;

	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return 1;
	r = brood_job_write(job, part, sizeof part) != sizeof part ||
		brood_job_write(job, part, sizeof part) >= 0;
	return setrlimit(RLIMIT_NOFILE, &before) < 0 || r;
}

static void lost(void)
{
	static char reply[LARGE];
	struct brood_verdict v;

	start(1);
	CHECK_EQ(brood_call(brood, ignores_the_error, "x", 1, reply, sizeof reply, NULL, &v),
		-ENOMEM);
	CHECK_EQ(v.outcome, BROOD_DONE);
	echoes(job_echo, 16); /* and the next job is well */
	end(0);
}
Test(calls_carried, a_cut_reply_is_no_success) { case_run(lost, 30000); }
