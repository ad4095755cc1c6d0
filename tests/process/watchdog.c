/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c - an engine that answers, and one that does not. A child of the engine plays the
 * service manager: it counts what comes, for the engine itself may be idle, stuck or traced.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(watchdog, .timeout = 120);

#define WATCHDOG_MS 400
#define ANSWER_MS   100
#define INTERVALS   10

/* What the service manager has heard. */
struct heard {
	atomic_int pings, triggers;
	atomic_int stuck_lines;
	char status[128]; /* the one that came with the last trigger */
};
static struct heard *heard;
static pid_t listener;

/* ---- the service manager ---- */

static int make_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof name, "@brood-watchdog-%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	CHECK_EQ(bind(fd, (struct sockaddr *)&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void __attribute__((noreturn)) hear_all(int fd)
{
	char text[512];
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* where a check of the engine has failed */
	while ((n = recv(fd, text, sizeof text - 1, 0)) > 0) {
		text[n] = '\0';
		if (strstr(text, "WATCHDOG=trigger")) {
			snprintf(heard->status, sizeof heard->status, "%.*s",
				(int)strcspn(text, "\n"), text);
			atomic_fetch_add(&heard->triggers, 1);
		} else if (strstr(text, "WATCHDOG=1")) {
			atomic_fetch_add(&heard->pings, 1);
		}
	}
	_exit(0);
}

static struct brood *begin_with(const char *usec, const char *pid, struct brood_options *o)
{
	struct brood *brood;
	int fd = make_socket();

	heard = case_shared();
	setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	else
		unsetenv("WATCHDOG_PID");
	o->size = sizeof *o;
	o->log = o->log ? o->log : note_log;
	CHECK_EQ(brood_start(o, &brood), 0);
	listener = fork();
	if (listener == 0)
		hear_all(fd);
	close(fd);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	return brood;
}

static struct brood *begin(uint32_t answer_ms)
{
	struct brood_options options = {
		.workers = 2, .engine_answer_ms = answer_ms, .lease_idle_ms = 50, .run_ms = 30000
	};
	char usec[32];

	snprintf(usec, sizeof usec, "%d", WATCHDOG_MS * 1000);
	return begin_with(usec, NULL, &options);
}

static void end(struct brood *brood)
{
	int status;

	pool_stop(brood);
	CHECK_EQ(kill(listener, SIGKILL), 0);
	CHECK_EQ(waitpid(listener, &status, 0), listener);
}

/* Sleeps until so many more pings came, without any call of the library. */
static void sleep_for_pings(int pings)
{
	int from = atomic_load(&heard->pings);

	CHECK(WAIT_UNTIL(atomic_load(&heard->pings) >= from + pings, 30000));
}

static void spin_until_trigger(void)
{
	uint64_t until = test_now_ms() + 30000;

	while (atomic_load(&heard->triggers) == 0)
		CHECK_LT(test_now_ms(), until);
}

/* ---- an engine that is well ---- */

static void idle(void)
{
	struct brood *brood = begin(ANSWER_MS);

	POOL_CALL(brood, job_nothing); /* its lease is taken back while the engine is idle */
	sleep_for_pings(2 * INTERVALS);
	CHECK_EQ(atomic_load(&heard->triggers), 0);
	end(brood);
}
Test(watchdog, idle) { case_run(idle, 60000); }

static int sleeps(struct brood_job *job)
{
	uint32_t ms;

	if (brood_job_read(job, &ms, sizeof ms) != sizeof ms)
		return 1;
	usleep(ms * 1000);
	return 0;
}

struct client {
	pthread_t thread;
	struct brood *brood;
	int fd[2];
};

/* A thread that waits for its client, and one that waits for its job. */
static void *serve(void *context)
{
	struct client *client = context;
	const uint32_t ms = 2 * INTERVALS * WATCHDOG_MS / 2;
	char byte;

	if (client->fd[0] >= 0)
		return read(client->fd[0], &byte, 1) == 1 ? client : NULL;
	return brood_call(client->brood, sleeps, &ms, sizeof ms, NULL, 0, NULL, NULL) == 0 ? client
											   : NULL;
}

static void clients(void)
{
	struct brood *brood = begin(ANSWER_MS);
	struct client list[4];
	void *served;

	for (int i = 0; i < 4; i++) {
		list[i] = (struct client){ .brood = brood, .fd = { -1, -1 } };
		if (i > 0)
			CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, list[i].fd), 0);
		CHECK_EQ(pthread_create(&list[i].thread, NULL, serve, &list[i]), 0);
	}
	CHECK_EQ(pthread_join(list[0].thread, &served), 0);
	CHECK_EQ(served, &list[0]);
	CHECK_GE(atomic_load(&heard->pings), INTERVALS);
	CHECK_EQ(atomic_load(&heard->triggers), 0);
	for (int i = 1; i < 4; i++) {
		CHECK_EQ(write(list[i].fd[1], "x", 1), 1);
		CHECK_EQ(pthread_join(list[i].thread, &served), 0);
		close(list[i].fd[0]);
		close(list[i].fd[1]);
	}
	end(brood);
}
Test(watchdog, threads_that_sleep_in_a_call_and_in_read) { case_run(clients, 60000); }

/* A job is given away with its client, and nobody waits for the verdict. */
static void given_away(void)
{
	static const uint32_t ways[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };
	struct brood *brood = begin(ANSWER_MS);

	for (size_t i = 0; i < 2; i++) {
		const struct brood_job_options options = { .size = sizeof options,
			.dispatch = ways[i] };
		struct brood_handle *handle;
		int fd;

		CHECK_EQ(brood_open(brood, job_nothing, &options, &fd, &handle), 0);
		handle = brood_release(handle);
		close(fd);
		sleep_for_pings(INTERVALS);
	}
	CHECK_EQ(atomic_load(&heard->triggers), 0);
	end(brood);
}
Test(watchdog, idle_after_jobs_that_were_given_away) { case_run(given_away, 60000); }

static void says_so(void)
{
	struct brood *brood = begin(ANSWER_MS);
	int from = atomic_load(&heard->pings);
	uint64_t until = test_now_ms() + 30000;

	while (atomic_load(&heard->pings) < from + INTERVALS) {
		brood_alive(brood);
		CHECK_LT(test_now_ms(), until);
	}
	CHECK_EQ(atomic_load(&heard->triggers), 0);
	end(brood);
}
Test(watchdog, spins_and_calls_brood_alive) { case_run(says_so, 60000); }

static void unasked(void)
{
	struct brood *brood = begin(0);
	int from = atomic_load(&heard->pings);
	uint64_t until = test_now_ms() + 30000;

	while (atomic_load(&heard->pings) < from + INTERVALS)
		CHECK_LT(test_now_ms(), until);
	CHECK_EQ(atomic_load(&heard->triggers), 0);
	end(brood);
}
Test(watchdog, spins_and_nobody_asks) { case_run(unasked, 60000); }

/* A debugger steps through an engine that would be stuck without it. */
static void __attribute__((noreturn)) debug(pid_t engine)
{
	int from;

	CHECK_EQ(ptrace(PTRACE_SEIZE, engine, NULL, NULL), 0);
	atomic_store(&heard->stuck_lines, 1); /* go */
	from = atomic_load(&heard->pings);
	CHECK(WAIT_UNTIL(atomic_load(&heard->pings) >= from + INTERVALS, 30000));
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, engine, NULL, NULL), 0);
	CHECK(WAIT_UNTIL(waitpid(engine, NULL, __WALL | WNOHANG) == engine, 10000));
	from = atomic_load(&heard->pings);
	CHECK(WAIT_UNTIL(atomic_load(&heard->pings) >= from + INTERVALS, 30000));
	CHECK_EQ(atomic_load(&heard->triggers), 0);
	atomic_store(&heard->stuck_lines, 2);
	_exit(0); /* lets the engine go */
}

static void debugged(void)
{
	struct brood *brood = begin(ANSWER_MS);
	pid_t engine = getpid(), debugger = fork();
	uint64_t until;
	int status;

	if (debugger == 0)
		debug(engine);
	CHECK(WAIT_UNTIL(atomic_load(&heard->stuck_lines) >= 1, 10000));
	until = test_now_ms() + 60000;
	while (atomic_load(&heard->stuck_lines) < 2)
		CHECK_LT(test_now_ms(), until);
	CHECK_EQ(waitpid(debugger, &status, 0), debugger);
	CHECK_EQ(status, 0);
	end(brood);
}
Test(watchdog, spins_under_a_debugger) { case_run(debugged, 90000); }

/* ---- an engine that is stuck ---- */

static void triggered(struct brood *brood, const char *words)
{
	sleep_for_pings(2); /* it answers again, and is fed again */
	CHECK_EQ(atomic_load(&heard->triggers), 1);
	CHECK_CONTAINS(heard->status, words);
	end(brood);
}

static void spins(void)
{
	struct brood *brood = begin(ANSWER_MS);

	spin_until_trigger();
	brood_alive(brood);
	triggered(brood, "spins");
}
Test(watchdog, spins) { case_run(spins, 60000); }

static void *spin(void *unused)
{
	spin_until_trigger();
	return unused;
}

/* The others sleep meanwhile. */
static void one_thread_spins(void)
{
	struct brood *brood = begin(ANSWER_MS);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, spin, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	triggered(brood, "spins");
}
Test(watchdog, one_thread_spins) { case_run(one_thread_spins, 60000); }

/* Sleeps, though jobs are done: nothing reads the completions. */
static void never_dispatches(uint32_t dispatch)
{
	struct brood *brood = begin(ANSWER_MS);
	struct brood_queue *queue = brood_own_queue(brood);
	const struct brood_result *results[32];
	const struct brood_job_options options = { .size = sizeof options, .dispatch = dispatch };

	for (int i = 0; i < 20; i++)
		CHECK_EQ(brood_submit(brood, job_nothing, "", 0, &options, NULL), 0);
	CHECK(WAIT_UNTIL(atomic_load(&heard->triggers) > 0, 30000));
	while (brood_queue_out(queue) > 0) {
		CHECK_GE(brood_queue_wait(queue, 1000), 0);
		CHECK_GE(brood_take(queue, results, 32), 0);
	}
	triggered(brood, "work waits");
}
static void never_dispatches_lease(void) { never_dispatches(BROOD_PATH_LEASE); }
static void never_dispatches_handoff(void) { never_dispatches(BROOD_PATH_HANDOFF); }
Test(watchdog, never_dispatches_on_lease) { case_run(never_dispatches_lease, 60000); }
Test(watchdog, never_dispatches_by_handoff) { case_run(never_dispatches_handoff, 60000); }

/* ---- what the service manager wants ---- */

static atomic_int *odd_lines;

static void count_odd(void *context, const struct brood_log *log)
{
	(void)context;
	*odd_lines += strstr(log->text, "WATCHDOG_") != NULL;
	note("log: %s", log->text);
}

struct odd {
	const char *usec, *pid;
	bool fed;
};

static uint64_t cpu_ms(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	CHECK_EQ(clock_getcpuclockid(pid, &clock), 0);
	CHECK_EQ(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void odd_time(void *context)
{
	const struct odd *odd = context;
	struct brood_options options = { .workers = 1, .log = count_odd };
	atomic_int lines = 0;
	struct brood *brood;
	uint64_t cpu, until;

	odd_lines = &lines;
	brood = begin_with(odd->usec, odd->pid, &options);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), atomic_load(&lines)) == 1, 10000));
	cpu = cpu_ms(proc_supervisor());
	for (until = test_now_ms() + 1000; test_now_ms() < until; usleep(10000))
		brood_dispatch(brood);
	CHECK_LT(cpu_ms(proc_supervisor()) - cpu, 300); /* it does not spin */
	CHECK_EQ(atomic_load(&heard->pings) > 0, odd->fed);
	CHECK_EQ(atomic_load(&lines), 1);
	end(brood);
}

Test(watchdog, odd_times_are_said_once)
{
	static struct odd odd[] = { { "0", NULL, false }, { "1", NULL, true },
		{ "18446744073709551615", NULL, false }, { "18446744073709551616", NULL, false },
		{ "soon", NULL, false }, { "400000", "1", false } };

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		case_run_with(odd_time, &odd[i], 30000);
}

/* ---- options ---- */

static void wrong_options(void)
{
	struct brood_options options = { .size = sizeof options, .engine_answer_ms = 99 };
	struct brood *brood;

	REFUSES(brood_start(&options, &brood), -EINVAL,
		"options.engine_answer_ms is 99: 100 or more");
	options.engine_answer_ms = 1;
	REFUSES(brood_start(&options, &brood), -EINVAL, "or 0: the engine is not asked");
	options.engine_answer_ms = 0;
	options = (struct brood_options){
		.size = sizeof options, .workers = 1, .engine_answer_ms = BROOD_FOREVER
	};
	brood_alive(NULL); /* nothing happens */
	brood = pool_start(&options);
	brood_alive(brood);
	pool_stop(brood);
}
Test(watchdog, wrong_options_are_explained) { case_run(wrong_options, 30000); }
