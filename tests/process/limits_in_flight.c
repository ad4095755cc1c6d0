/* SPDX-License-Identifier: MIT */
/*
 * limits_in_flight.c - a user has as many files in flight as the kernel allows: no process ends of
 * it, no verdict is lost, and all is well when the shortage is over.
 */
#include "limits.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(limits, .timeout = 240);

/* ---- ETOOMANYREFS: what is in flight counts for the whole user ---- */

#define FLOOD_MAX 64

/*
 * A process of the same user puts fds in flight until the kernel takes no more, holds them for a
 * while, and ends.
 */
static void __attribute__((noreturn)) flood(int ready, int release)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 250)];
	} control;
	struct iovec iov = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	int pair[2], fds[250];
	char c = 0;

	for (int i = 0; i < FLOOD_MAX; i++) {
		struct msghdr msg = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control };

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			_exit(3);
		memset(&control, 0, sizeof control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fds);
		for (size_t k = 0; k < 250; k++)
			fds[k] = ready;
		memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
		if (sendmsg(pair[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			c = errno == ETOOMANYREFS ? 'y' : 'n';
			break;
		}
	}
	if (write(ready, &c, 1) != 1 || read(release, &c, 1) < 0)
		_exit(4);
	_exit(0);
}

struct flood {
	pid_t pid;
	int release;
};

static struct flood flood_begin(void)
{
	int ready[2], release[2];
	struct flood f;
	char c = 0;

	CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(release, O_CLOEXEC), 0);
	f.pid = fork();
	if (f.pid == 0) {
		close(release[1]);
		flood(ready[1], release[0]);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(c, 'y');
	close(ready[0]);
	close(ready[1]);
	close(release[0]);
	f.release = release[1];
	return f;
}

static void flood_end(struct flood *f)
{
	int status;

	close(f->release);
	CHECK_EQ(waitpid(f->pid, &status, 0), f->pid);
	CHECK_EQ(status, 0);
}

#define OUT 120

static void in_flight_by(enum brood_path path)
{
	struct brood_options options = {
		.workers = 4, .backlog = OUT, .dispatch = path, .log = note_log
	};
	struct brood_handle *h[OUT];
	struct rlimit limit = { 256, 256 };
	struct brood_verdict v;
	struct flood f;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	brood = pool_start(&options);
	/* a program with an event loop: no thread waits in brood_open() */
	brood_fd(brood);
	for (int round = 0; round < 3; round++) {
		f = flood_begin();
		for (int i = 0; i < OUT; i++) {
			int fd;

			CHECK_MSG(brood_open(brood, job_nothing, NULL, &fd, &h[i]) == 0, "%d: %s",
				i, brood_error());
			close(fd);
		}
		CHECK_EQ(brood_wait(h[0], 50, &v), -ETIMEDOUT);
		flood_end(&f);
		for (int i = 0; i < OUT; i++) {
			CHECK_EQ(brood_wait(h[i], 20000, &v), 0);
			CHECK_MSG(v.outcome == BROOD_DONE, "%s, %s", brood_outcome_name(v.outcome),
				brood_detail_name(v.detail));
			brood_release(h[i]);
		}
	}
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 3 * OUT);
	pool_stop(brood);
}
static void in_flight(void) { in_flight_by(BROOD_PATH_HANDOFF); }
static void in_flight_as_it_comes(void) { in_flight_by(BROOD_PATH_AUTO); }

/* The supervisor meets the shortage: it has the jobs already when the flood begins. */
static void in_flight_to_workers(void)
{
	struct brood_options options = {
		.workers = 1, .backlog = OUT, .dispatch = BROOD_PATH_HANDOFF, .log = note_log
	};
	struct brood_handle *h[OUT];
	struct rlimit limit = { 256, 256 };
	struct brood_verdict v;
	struct flood f;
	int fd, first;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, job_echo, NULL, &first, NULL), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h[i]), 0);
		close(fd);
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).queued == 20, 10000));
	f = flood_begin();
	/* its job ends; the next jobs are due, and cannot be sent */
	CHECK_EQ(shutdown(first, SHUT_RDWR), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).idle == 1, 10000));
	CHECK_EQ(brood_wait(h[0], 50, &v), -ETIMEDOUT);
	CHECK_EQ(pool_stats(brood).queued, 20);
	flood_end(&f);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(brood_wait(h[i], 20000, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_EQ(v.attempts, 1);
		brood_release(h[i]);
	}
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
/*
 * The job spins, so its worker is in state R until the job is over. The test sees from outside when
 * the end was told.
 */
static int sends_a_file(struct brood_job *job)
{
	atomic_uint *entered = case_shared(), *gate = entered + 1;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), r;

	atomic_store(entered, 1);
	while (!atomic_load(gate))
		;
	r = brood_job_reply_fds(job, &fd, 1);
	close(fd);
	return r;
}

static atomic_bool dropped;
static void hears_of_dropped_files(void *context, const struct brood_log *log)
{
	note_log(context, log);
	if (log->event != BROOD_EVENT_RESOURCE || !strstr(log->text, "are dropped"))
		return;
	CHECK_CONTAINS(log->text, "sends_a_file [backup 7] are dropped");
	atomic_store(&dropped, true);
}

static void result_with(uint32_t fds_count)
{
	const struct brood_result *result = NULL;

	CHECK(WAIT_UNTIL(brood_queue_wait(brood_own_queue(brood), 1000) > 0 &&
			brood_take(brood_own_queue(brood), &result, 1) == 1,
		30000));
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	CHECK_EQ(result->verdict.code, 0);
	CHECK_EQ(result->fds_count, fds_count);
}

/*
 * The supervisor meets the shortage with the files of a reply: the verdict waits, but not for ever.
 */
static void in_flight_back(void)
{
	struct brood_options options = { .workers = 1,
		.backlog = OUT,
		.dispatch = BROOD_PATH_HANDOFF,
		.log = hears_of_dropped_files };
	struct brood_job_options tagged = { .size = sizeof tagged, .tag = "backup 7" };
	struct rlimit limit = { 256, 256 };
	atomic_uint *entered = case_shared(), *gate = entered + 1;
	struct flood f;
	pid_t supervisor, worker;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	brood = pool_start(&options);
	supervisor = proc_supervisor();
	worker = pool_ask_pid(brood);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, &tagged, NULL), 0);
	CHECK(WAIT_UNTIL(atomic_load(entered), 10000));
	kill(supervisor, SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(supervisor) == 'T', 10000));
	atomic_store(gate, 1);
	CHECK(WAIT_UNTIL(proc_state(worker) == 'S', 10000));
	f = flood_begin();
	kill(supervisor, SIGCONT);
	result_with(0);
	CHECK(WAIT_UNTIL(atomic_load(&dropped), 10000));
	flood_end(&f);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	result_with(1);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}

/* The worker meets the shortage: its reply waits for a while, and then goes without its files. */
static void in_flight_from(enum brood_path path)
{
	struct brood_options options = {
		.workers = 1, .backlog = OUT, .dispatch = path, .log = note_log
	};
	struct rlimit limit = { 256, 256 };
	atomic_uint *entered = case_shared(), *gate = entered + 1;
	struct flood f;

	become_nobody();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	atomic_store(entered, 0);
	atomic_store(gate, 0);
	brood = pool_start(&options);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && atomic_load(entered), 10000));
	f = flood_begin();
	atomic_store(gate, 1);
	result_with(0);
	flood_end(&f);
	CHECK_EQ(brood_submit(brood, sends_a_file, NULL, 0, NULL, NULL), 0);
	result_with(1);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
static void in_flight_from_workers(void) { in_flight_from(BROOD_PATH_HANDOFF); }
static void in_flight_from_leases(void) { in_flight_from(BROOD_PATH_LEASE); }

Test(limits, too_many_fds_in_flight)
{
	case_run(in_flight, 60000);
	case_run(in_flight_as_it_comes, 60000);
	case_run(in_flight_to_workers, 60000);
	case_run(in_flight_back, 60000);
	case_run(in_flight_from_workers, 60000);
	case_run(in_flight_from_leases, 60000);
}
