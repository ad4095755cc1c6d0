/* SPDX-License-Identifier: MIT */
/*
 * attack.c - jobs that damage what they can reach (their slot page, their siblings, the guard, the
 * channel, a client's socket), and programs in odd states. One fault costs one job, the supervisor
 * never waits, and the program hears the truth.
 */
#include "../helpers/pool.h"
#include "../../src/wire/shared.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(attack, .timeout = 240);

static struct brood *brood;

static void deaf(void *context, const struct brood_log *log) { (void)context, (void)log; }

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

/* ---- a job that writes over its slot page ---- */

/* Finds its slot page: the page of the shared file with the status that a worker can write. */
static _Atomic uint64_t *find_slot_page(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to, found = 0;
	char line[512], rights[8];

	CHECK(maps);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 &&
			strcmp(rights, "rw-s") == 0 && strstr(line, "memfd:brood-status"))
			found = from;
	fclose(maps);
	return (_Atomic uint64_t *)found;
}

/*
 * arg: the state that the job writes, with its own sequence. BEFORE: what is there on a lease
 * before a job begins. Above BEFORE: the whole word.
 */
#define BEFORE 6
static int scribbles(struct brood_job *job)
{
	const uint64_t *what = brood_job_arg(job, NULL);
	_Atomic uint64_t *word = find_slot_page();
	uint64_t now = word ? atomic_load(word) : 0;

	if (SLOT_PAGE_STATE(now) != SLOT_PAGE_RUNNING)
		return 1;
	atomic_store(word,
		*what == BEFORE     ? SLOT_PAGE_WORD(SLOT_PAGE_SEQUENCE(now) - 1, SLOT_PAGE_DONE)
			: *what < 8 ? SLOT_PAGE_WORD(SLOT_PAGE_SEQUENCE(now), *what)
				    : *what);
	return 0;
}

static void scribbled(
	enum brood_path path, void (*judge)(uint64_t word, const struct brood_verdict *v))
{
	static const uint64_t words[] = { SLOT_PAGE_FREE, SLOT_PAGE_ASSIGNED, SLOT_PAGE_DONE,
		SLOT_PAGE_CONDEMNED, BEFORE, 7, UINT64_MAX, 1ull << 63, 0x4141414141414141 };

	start(2);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		struct brood_job_options job = { .run_ms = 2000,
			.arg = &words[i],
			.arg_size = sizeof words[i],
			.flags = BROOD_JOB_ONCE,
			.dispatch = path };
		struct brood_verdict v = pool_call_with(brood, scribbles, &job);

		CHECK_EQ(v.path, path);
		judge(words[i], &v);
		all_well(4);
	}
	CHECK_EQ(pool_stats(brood).died, sizeof words / sizeof words[0]);
	pool_stop(brood);
}

static void judge_handoff(uint64_t word, const struct brood_verdict *v)
{
	/* the job waits for the kill that its deadline brings */
	if (word == SLOT_PAGE_CONDEMNED)
		verdict_is(v, BROOD_CRASHED, BROOD_DETAIL_STUCK);
	else if (word == SLOT_PAGE_ASSIGNED) /* the job writes that it never began */
		CHECK_EQ(v->outcome, BROOD_CRASHED);
	else
		verdict_is(v, BROOD_CRASHED, BROOD_DETAIL_PROTOCOL);
	CHECK_EQ(v->started, word != SLOT_PAGE_ASSIGNED);
}
static void slot_pages(void) { scribbled(BROOD_PATH_HANDOFF, judge_handoff); }
Test(attack, slot_page_written_over) { case_run(slot_pages, 60000); }

/*
 * The supervisor may look at any time: it may see what the job wrote before its worker dies of it.
 */
static void judge_lease(uint64_t word, const struct brood_verdict *v)
{
	if (word != BEFORE || v->detail != BROOD_DETAIL_NONE)
		verdict_is(v, BROOD_CRASHED, BROOD_DETAIL_PROTOCOL);
	if (word == BEFORE || word == SLOT_PAGE_CONDEMNED)
		CHECK_EQ(v->outcome, BROOD_CRASHED);
	CHECK_EQ(v->started, word != BEFORE);
}
static void slot_pages_on_lease(void) { scribbled(BROOD_PATH_LEASE, judge_lease); }
Test(attack, slot_page_written_over_on_lease) { case_run(slot_pages_on_lease, 60000); }

static int unmaps_slot_page(struct brood_job *job)
{
	(void)job;
	return munmap((void *)(uintptr_t)find_slot_page(), 4096);
}

static void no_slot_page(void)
{
	struct brood_verdict v;

	start(1);
	v = POOL_CALL(brood, unmaps_slot_page);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGSEGV);
	CHECK(v.started);
	all_well(4);
	pool_stop(brood);
}
Test(attack, slot_page_unmapped) { case_run(no_slot_page, 20000); }

/* ---- a job that kills its siblings, and the guard ---- */

static int kills(struct brood_job *job)
{
	size_t size;
	const pid_t *pids = brood_job_arg(job, &size);

	for (size_t i = 0; i < size / sizeof *pids; i++)
		kill(pids[i], SIGKILL);
	return 0;
}

static void siblings(void)
{
	struct brood_job_options job = { .retries = 2 };
	struct brood_handle *h[3];
	struct brood_verdict v;
	pid_t pids[3];
	int fds[3];

	start(4);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_open(brood, job_echo, NULL, &fds[i], &h[i]), 0);
		CHECK_EQ(write(fds[i], "x", 1), 1);
		CHECK_EQ(read(fds[i], &(char){ 0 }, 1), 1);
	}
	CHECK_EQ(proc_workers(proc_supervisor(), pids, 3), 3);
	job.arg = pids;
	job.arg_size = sizeof pids;
	/* perhaps the job killed itself: then another attempt is done */
	v = pool_call_with(brood, kills, &job);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 0; i < 3; i++) {
		close(fds[i]);
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		CHECK(v.outcome == BROOD_DONE ||
			(v.outcome == BROOD_CRASHED && v.detail == BROOD_DETAIL_OUTSIDE));
		brood_release(h[i]);
	}
	CHECK_GE(pool_stats(brood).died, 3);
	all_well(8);
	pool_stop(brood);
}
Test(attack, siblings_killed) { case_run(siblings, 30000); }

static void guards(void)
{
	struct brood_verdict v;

	start(2);
	for (uint64_t i = 1; i <= 5; i++) {
		struct brood_job_options job = { .arg_size = sizeof(pid_t) };
		pid_t guard = 0;

		CHECK(WAIT_UNTIL((guard = proc_guard(proc_supervisor())) > 0, 5000));
		job.arg = &guard;
		v = pool_call_with(brood, kills, &job);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK(WAIT_UNTIL(pool_stats(brood).guard_deaths == i, 5000));
		all_well(2);
	}
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
}
Test(attack, guard_killed) { case_run(guards, 30000); }

/* ---- a job's child that holds the channel, and speaks on it ---- */

static int channel_of_worker(void)
{
	for (int fd = 3; fd < 256; fd++) {
		int type = 0;
		socklen_t size = sizeof type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
			type == SOCK_SEQPACKET)
			return fd;
	}
	return -1;
}

/*
 * The child has the worker's channel and the job's socket. It is in a session of its own, and
 * outlives its worker.
 */
static int leaves_holder(struct brood_job *job)
{
	int pipes[2];
	pid_t child;
	char c;

	(void)job;
	if (pipe(pipes) < 0)
		return 1;
	child = fork();
	if (child == 0) {
		setsid();
		if (fork() > 0)
			_exit(0);
		if (write(pipes[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	/* the one in between has ended: it would be one more that the job leaves */
	if (read(pipes[0], &c, 1) != 1 || waitpid(child, NULL, 0) != child)
		return 2;
	raise(SIGKILL);
	return 3;
}

static void held_channel(void)
{
	char c;

	start(2);
	for (int i = 0; i < 5; i++) {
		struct brood_handle *h;
		struct brood_verdict v;
		int fd;

		CHECK_EQ(brood_open(brood, leaves_holder, NULL, &fd, &h), 0);
		/* no EOF tells of the death, but the pidfd does */
		CHECK_EQ(brood_wait(h, 10000, &v), 0);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
		/* and the engine does not wait for it either */
		CHECK_EQ(read(fd, &c, 1), 0);
		close(fd);
		brood_release(h);
		all_well(2);
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).strays_killed == 5, 10000));
	pool_stop(brood);
}
Test(attack, channel_held_by_a_child) { case_run(held_channel, 30000); }

/* A child floods the channel with invalid frames as long as it lives. */
static int floods(struct brood_job *job)
{
	static const char junk[2000] = "junk";
	int channel = channel_of_worker();

	(void)job;
	for (;;)
		if (send(channel, junk, sizeof junk, MSG_NOSIGNAL) < 0)
			return 1;
}

/* Valid frames without end: the log lines of a job out of control. */
static int __attribute__((noreturn)) logs_for_ever(struct brood_job *job)
{
	for (;;)
		brood_job_log(
			job, BROOD_DEBUG, "a line that nobody needs, from a job that cannot stop");
}

/* These jobs are handed off. The calls before may have left a worker on lease. */
static bool running(uint32_t count)
{
	struct brood_stats stats = pool_stats(brood);

	return stats.busy - stats.leased == count;
}

static void flooded(void)
{
	struct brood_job_options mad = {
		.size = sizeof mad, .run_ms = 1000, .dispatch = BROOD_PATH_HANDOFF
	};
	struct brood_options options = { .workers = 3, .log = deaf };
	struct brood_handle *h[2];
	struct brood_verdict v;
	int fds[2];

	brood = pool_start(&options);
	for (int i = 0; i < 10; i++) {
		v = POOL_CALL(brood, floods);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_PROTOCOL);
	}
	all_well(1);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_open(brood, logs_for_ever, &mad, &fds[i], &h[i]), 0);
	CHECK(WAIT_UNTIL(running(2), 5000));
	for (int i = 0; i < 300; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	/* its deadline is enforced although the channel is never empty */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(brood_wait(h[i], 20000, &v), 0);
		verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
		CHECK_LT(v.run_us, 10000000);
		brood_release(h[i]);
		close(fds[i]);
	}
	all_well(4);
	pool_stop(brood);
}
Test(attack, channel_flooded) { case_run(flooded, 60000); }

/* ---- a client's socket whose close() waits ---- */

static void tcp_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(listener >= 0);
	CHECK_EQ(bind(listener, (struct sockaddr *)&address, size), 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(pair[0], (struct sockaddr *)&address, size), 0);
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(pair[1] >= 0);
	close(listener);
}

/*
 * The job writes more than the client takes, and the last close of the socket waits for the client.
 */
static int lingers(struct brood_job *job)
{
	static const char block[65536];
	struct linger linger = { .l_onoff = 1, .l_linger = 20 };

	if (setsockopt(brood_job_fd(job), SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0)
		return 1;
	while (send(brood_job_fd(job), block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	if (*(const char *)brood_job_arg(job, NULL) == 'k')
		raise(SIGKILL);
	return 0;
}

static void lingering(void)
{
	char how[] = "dk";
	uint64_t begin;

	start(2);
	for (size_t i = 0; i < 2; i++) {
		struct brood_job_options job = {
			.size = sizeof job, .arg = &how[i], .arg_size = 1
		};
		struct brood_handle *h;
		struct brood_verdict v;
		int pair[2];

		tcp_pair(pair);
		begin = test_now_ms();
		CHECK_EQ(brood_give(brood, lingers, pair[1], &job, &h), 0);
		CHECK_EQ(brood_wait(h, 15000, &v), 0);
		if (how[i] == 'd')
			verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		else
			verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
		/* the supervisor does not wait */
		for (int k = 0; k < 20; k++)
			CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
		CHECK_LT(test_now_ms() - begin, (uint64_t)test_scaled(10000));
		brood_release(h);
		close(pair[0]);
	}
	pool_stop(brood);
}
Test(attack, client_that_lingers) { case_run(lingering, 60000); }

/* A socket that is no connected stream is refused before it becomes a job. */
static void wrong_sockets(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), datagram[2];
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct brood_verdict v;
	struct brood_handle *h;
	int pair[2];

	start(1);
	CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(brood_give(brood, job_echo, listener, NULL, &h), -EPROTOTYPE);
	CHECK_CONTAINS(brood_error(), "listening");
	CHECK(fcntl(listener, F_GETFD) >= 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), 0);
	CHECK_EQ(brood_give(brood, job_echo, datagram[0], NULL, &h), -EPROTOTYPE);
	/* a job whose client is gone already is like any other */
	tcp_pair(pair);
	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
	close(pair[0]);
	CHECK_EQ(brood_give(brood, job_echo, pair[1], NULL, &h), 0);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_FAILED);
	brood_release(h);
	all_well(1);
	pool_stop(brood);
}
Test(attack, wrong_sockets) { case_run(wrong_sockets, 20000); }
