/* SPDX-License-Identifier: MIT */
/*
 * manager.c - what a service manager is told: a status that is true, and no sign of life of an
 * engine that stands still.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(manager, .timeout = 120);

/* The manager's end of the socket, in the engine. It has an abstract name, so nothing is left. */
static int listen_as_manager(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof name, "@brood-manager-%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	CHECK_EQ(bind(fd, (struct sockaddr *)&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* Waits for one message. False: none came. */
static bool hear(int fd, char *text, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) != 1)
		return false;
	n = recv(fd, text, size - 1, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* ---- STATUS= ---- */

struct births {
	volatile int fail;
};

static int init(void *context) { return ((struct births *)context)->fail; }

static struct brood_options weak_pool(void)
{
	return (struct brood_options){
		.size = sizeof(struct brood_options),
		.workers = 2,
		.worker_init = init,
		.hook_context = case_shared(),
		.backoff_min_ms = 5,
		.backoff_max_ms = 20,
		.start_limit = 3,
		.healthy_ms = 50,
		.log = note_log,
	};
}

struct last {
	char status[512];
}; /* what STATUS= said last */

static const char *read_on(struct brood *brood, int fd, struct last *last)
{
	char text[512], *status;

	brood_dispatch(brood);
	while (hear(fd, text, sizeof text, 0))
		if ((status = strstr(text, "STATUS=")))
			snprintf(last->status, sizeof last->status, "%s", status + 7);
	return last->status;
}

static void status_becomes(struct brood *brood, int fd, struct last *last, const char *status)
{
	CHECK_MSG(WAIT_UNTIL(strcmp(read_on(brood, fd, last), status) == 0, 10000), "%s",
		last->status);
}

static void recovers(const char *own)
{
	struct births *births = case_shared();
	struct brood_options options = weak_pool();
	struct last last = { "" };
	char degraded[256];
	int fd = listen_as_manager();
	struct brood *brood;

	births->fail = 1;
	CHECK_EQ(brood_start(&options, &brood), 0);
	brood_notify_ready(brood);
	if (own)
		brood_notify_status(brood, own);
	snprintf(degraded, sizeof degraded, "%s%sdegraded: workers die at birth", own ? own : "",
		own ? "; " : "");
	status_becomes(brood, fd, &last, degraded);
	births->fail = 0;
	CHECK_MSG(WAIT_UNTIL(strstr(read_on(brood, fd, &last), "of 2 workers ready: "), 10000),
		"%s", last.status);
	if (own) {
		CHECK_EQ(strncmp(last.status, "serving; ", 9), 0);
		brood_notify_status(brood, "new words");
		CHECK(WAIT_UNTIL(
			strncmp(read_on(brood, fd, &last), "new words; ", 11) == 0, 10000));
	}
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
	close(fd);
}
static void recovers_alone(void) { recovers(NULL); }
static void recovers_with_words(void) { recovers("serving"); }
Test(manager, status_recovers) { case_run(recovers_alone, 40000); }
Test(manager, status_keeps_the_engines_words) { case_run(recovers_with_words, 40000); }

/* READY=1 and the number of workers are of all pools; a pool that has trouble is named. */
static void several_pools(void)
{
	static const struct brood_pool_options more = {
		.size = sizeof more, .name = "more", .workers = 1
	};
	static const struct brood_pool_options *const pools[] = { &more };
	struct births *births = case_shared();
	struct brood_options options = weak_pool();
	struct last last = { "" };
	int fd = listen_as_manager();
	struct brood *brood;

	options.pool_name = "weak";
	options.pools = pools;
	options.pools_count = 1;
	births->fail = 1;
	CHECK_EQ(brood_start(&options, &brood), 0);
	brood_notify_ready(brood);
	status_becomes(brood, fd, &last, "degraded: pool weak: workers die at birth");
	births->fail = 0;
	CHECK_MSG(WAIT_UNTIL(strstr(read_on(brood, fd, &last), "of 3 workers ready"), 10000), "%s",
		last.status);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	pool_stop(brood);
	close(fd);
}
Test(manager, status_of_several_pools) { case_run(several_pools, 40000); }

/* ---- WATCHDOG=1 ---- */

#define PERIOD_MS 100 /* between two of them: half of WATCHDOG_USEC */

static int pings_within(int fd, int ms)
{
	uint64_t until = test_now_ms() + (uint64_t)ms;
	char text[512];
	int pings = 0;

	for (uint64_t now; (now = test_now_ms()) < until;)
		pings += hear(fd, text, sizeof text, (int)(until - now)) &&
			strstr(text, "WATCHDOG=1");
	return pings;
}

static bool ping_comes(int fd) { return WAIT_UNTIL(pings_within(fd, 1) > 0, 10000); }

enum how { BY_SIGNAL, BY_DEBUGGER };

/*
 * Stops its parent, the engine, and returns how many messages came in ten periods. One may have
 * been on its way.
 */
static void stop_and_count(int fd, pid_t engine, enum how how, int *ret_pings)
{
	char text[512];

	if (how == BY_DEBUGGER) {
		CHECK_EQ(ptrace(PTRACE_SEIZE, engine, NULL, NULL), 0);
		CHECK_EQ(ptrace(PTRACE_INTERRUPT, engine, NULL, NULL), 0);
	} else {
		CHECK_EQ(kill(engine, SIGSTOP), 0);
	}
	CHECK(WAIT_UNTIL(proc_state(engine) == 'T' || proc_state(engine) == 't', 10000));
	while (hear(fd, text, sizeof text, 0))
		;
	*ret_pings = pings_within(fd, 10 * PERIOD_MS);
	if (how == BY_SIGNAL)
		kill(engine, SIGCONT);
	_exit(0); /* a debugger that ends lets go */
}

static int pings_while_stopped(enum how how, uint32_t flags)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .flags = flags, .log = note_log
	};
	int fd = listen_as_manager(), *pings = case_shared(), status;
	struct brood *brood;
	pid_t engine, child;

	setenv("WATCHDOG_USEC", "200000", 1);
	unsetenv("WATCHDOG_PID");
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	CHECK(ping_comes(fd));
	engine = getpid();
	child = fork();
	if (child == 0)
		stop_and_count(fd, engine, how, pings);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK(ping_comes(fd)); /* and it goes on */
	pool_stop(brood);
	close(fd);
	return *pings;
}

static void stopped(void) { CHECK_LE(pings_while_stopped(BY_SIGNAL, 0), 1); }
static void debugged(void) { CHECK_GE(pings_while_stopped(BY_DEBUGGER, 0), 3); }
static void debugging(void) { CHECK_GE(pings_while_stopped(BY_DEBUGGER, BROOD_DEBUGGING), 3); }
Test(manager, no_ping_for_a_stopped_engine) { case_run(stopped, 40000); }
Test(manager, but_under_a_debugger) { case_run(debugged, 40000); }
Test(manager, and_with_the_flag) { case_run(debugging, 40000); }

/* ---- no descriptor at the moment ---- */

static void files_of_supervisor(rlim_t soft)
{
	struct rlimit limit;

	CHECK_EQ(prlimit(proc_supervisor(), RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = soft ? soft : limit.rlim_max;
	CHECK_EQ(prlimit(proc_supervisor(), RLIMIT_NOFILE, &limit, NULL), 0);
}

static bool hears(int fd, const char *words)
{
	char text[512];

	while (hear(fd, text, sizeof text, 0))
		if (strstr(text, words))
			return true;
	return false;
}

/* The socket is there from the start on, and needs no descriptor later. */
static void short_of_files(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 1, .log = note_log };
	int fd = listen_as_manager();
	struct brood *brood = pool_start(&options);

	CHECK(WAIT_UNTIL(hears(fd, "of 1 workers ready"), 10000));
	files_of_supervisor(3);
	brood_notify_ready(brood);
	CHECK(WAIT_UNTIL(hears(fd, "READY=1"), 10000));
	files_of_supervisor(0);
	pool_stop(brood);
	close(fd);
}
Test(manager, ready_is_said_without_a_file) { case_run(short_of_files, 30000); }
