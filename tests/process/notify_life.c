/* SPDX-License-Identifier: MIT */
/*
 * notify_life.c - every byte that a service manager is sent over a life: start, reload, failed
 * reload, degraded, recovery, stop; and over lives that end badly.
 *
 * The test's own process is the manager: it has the socket, and reads while the case runs. Figures
 * come by a pace, so a text of figures alone may come between any two other messages; all else is
 * compared byte by byte, in order.
 */
#include "../helpers/manager.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(notify_life, .timeout = 180);

static int init(void *context)
{
	(void)context;
	while (manager->init < 0)
		test_pause(3);
	return manager->init;
}

static struct brood *brood;

static struct brood_options weak(void)
{
	return (struct brood_options){
		.size = sizeof(struct brood_options),
		.workers = 1,
		.worker_init = init,
		.backoff_min_ms = 5,
		.backoff_max_ms = 20,
		.start_limit = 3,
		.healthy_ms = 50,
		.log = note_log,
	};
}

static void start(struct brood_options options)
{
	CHECK_EQ(brood_start(&options, &brood), 0);
	manager_take_signals();
}

/* All messages of before are read. */
static void settle(void) { CHECK_EQ(brood_notify_barrier(brood, 20000), 0); }

static void stop_by_signal(int sig)
{
	manager->wish = sig;
	CHECK(manager_signal_comes(20000));
	CHECK_EQ(brood_stop(brood), 0);
}

#define FIGURES(jobs) "1 of 1 workers ready: 0 busy, 1 idle, 0 queued; " jobs " jobs, 0 deaths"

/* ---- a long life ---- */

static void reloads(void)
{
	CHECK_EQ(brood_notify(brood, "RELOADING=1"), 0);
	CHECK_EQ(brood_notify(brood, "READY=1"), 0);
	CHECK_EQ(brood_notify(brood, "RELOADING=1"), 0);
	CHECK_EQ(brood_notify_ready(brood), 0);
	CHECK_EQ(brood_notify_ready(brood), 0); /* once a reload */
	CHECK_EQ(brood_notify(brood, "RELOADING=1\nX_WHY=signal"), 0);
	CHECK_EQ(brood_notify(brood, "READY=1\nSTATUS=reload failed: line 3"), 0);
	settle();
}

static void degrades(const char *text)
{
	manager->init = 7;
	kill(pool_ask_pid(brood), SIGKILL);
	CHECK(WAIT_UNTIL(manager_heard_last(text), 20000));
	manager->init = 0;
	CHECK(WAIT_UNTIL(pool_full(brood), 20000));
}

static void long_life(void)
{
	start(weak());
	CHECK_EQ(brood_notify_ready(brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	settle();
	CHECK_EQ(brood_notify_status(brood, "serving"), 0);
	settle();
	POOL_CALL(brood, job_nothing);
	CHECK(WAIT_UNTIL(manager_heard_last("STATUS=serving; " FIGURES("1")), 30000));
	reloads();
	degrades("STATUS=reload failed: line 3; degraded: workers die at birth");
	CHECK(WAIT_UNTIL(manager_heard_figures(), 20000));
	CHECK_EQ(brood_notify_status(brood, "well\nREADY=1"), 0);
	settle();
	stop_by_signal(SIGTERM);
}

Test(notify_life, every_byte)
{
	struct case_result result;

	manager_open();
	result = manager_live(long_life);
	cr_assert_eq(result.status, 0, "%s", result.text);
	/* the figures of a recovery tell of deaths: how many is a matter of chance */
	manager_shorten("STATUS=well READY=1; 1 of 1");
	HEARD("STATUS=0 of 1 workers ready", "READY=1\nMAINPID=N\nSTATUS=" FIGURES("0"),
		"BARRIER=1", "STATUS=serving; " FIGURES("0"), "BARRIER=1",
		"STATUS=serving; " FIGURES("1"), "RELOADING=1\nMONOTONIC_USEC=N", "READY=1",
		"RELOADING=1\nMONOTONIC_USEC=N", "READY=1",
		"RELOADING=1\nX_WHY=signal\nMONOTONIC_USEC=N",
		"READY=1\nSTATUS=reload failed: line 3; " FIGURES("1"), "BARRIER=1",
		"STATUS=reload failed: line 3; degraded: workers die at birth",
		"STATUS=well READY=1; 1 of 1", "BARRIER=1", "STOPPING=1\nSTATUS=stopping");
}

/* ---- ends that fail ---- */

static void is_ready(void)
{
	start(weak());
	CHECK_EQ(brood_notify_ready(brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	settle();
}
#define BEGIN "STATUS=0 of 1 workers ready", "READY=1\nMAINPID=N\nSTATUS=" FIGURES("0"), "BARRIER=1"

static void exits_3(void)
{
	is_ready();
	case_done();
	exit(3);
}
Test(notify_life, exit_code)
{
	manager_open();
	cr_assert_eq(WEXITSTATUS(manager_live(exits_3).status), 3);
	HEARD(BEGIN, "STOPPING=1\nSTATUS=the engine ended with exit code 3\nERRNO=125");
}

static void killed(void)
{
	is_ready();
	case_done();
	raise(SIGKILL);
}
Test(notify_life, crash)
{
	manager_open();
	cr_assert_eq(WTERMSIG(manager_live(killed).status), SIGKILL);
	HEARD(BEGIN, "STOPPING=1\nSTATUS=the engine ended by SIGKILL\nERRNO=130");
}

static void says_why(void)
{
	is_ready();
	CHECK_EQ(brood_notify(brood, "STATUS=no such disk\nERRNO=5"), 0);
	case_done();
	exit(1);
}
Test(notify_life, the_programs_own_reason)
{
	manager_open();
	manager_live(says_why);
	HEARD(BEGIN, "ERRNO=5\nSTATUS=no such disk; " FIGURES("0"),
		"STOPPING=1\nSTATUS=no such disk; the engine ended with exit code 1");
}

/* ---- starts that fail ---- */

static void not_even_started(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 20000 };

	CHECK_EQ(brood_start(&options, &brood), -EINVAL);
	is_ready();
	CHECK_EQ(brood_stop(brood), 0);
}
Test(notify_life, start_refused)
{
	manager_open();
	cr_assert_eq(manager_live(not_even_started).status, 0);
	HEARD("STATUS=brood_start: options.workers is 20000: 1 to 10000, or 0 for one a CPU\n"
	      "ERRNO=22",
		"STATUS=0 of 1 workers ready", "READY=1\nMAINPID=N\nERRNO=0\nSTATUS=" FIGURES("0"),
		"BARRIER=1", "STOPPING=1\nSTATUS=stopping");
}

static void start_fails(void)
{
	struct brood_options options = weak();

	manager->init = 7;
	options.flags = BROOD_START_OR_FAIL;
	start(options);
	CHECK_EQ(brood_notify_ready(brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), -EHOSTDOWN);
	case_done();
}
static void fails_with_0(void)
{
	start_fails();
	CHECK(manager_signal_comes(20000));
	exit(0);
}
static void fails_with_5(void)
{
	start_fails();
	exit(5);
}
#define START_FAILED                                                                       \
	"STATUS=0 of 1 workers ready",                                                     \
		"STOPPING=1\nSTATUS=the start failed: workers die at birth, the last one " \
		"ended itself: worker_init did not succeed\nERRNO=112"
Test(notify_life, start_or_fail)
{
	manager_open();
	cr_assert_eq(WEXITSTATUS(manager_live(fails_with_0).status), BROOD_EXIT_START);
	HEARD(START_FAILED);
}
Test(notify_life, start_or_fail_with_the_programs_code)
{
	manager_open();
	cr_assert_eq(WEXITSTATUS(manager_live(fails_with_5).status), 5);
	HEARD(START_FAILED);
}

/* A pool that was ready degrades and recovers: the flag is about the start alone. */
static void degrades_later(void)
{
	struct brood_options options = weak();

	options.flags = BROOD_START_OR_FAIL;
	start(options);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	degrades("STATUS=degraded: workers die at birth");
	CHECK_EQ(brood_stop(brood), 0);
}
Test(notify_life, start_or_fail_is_about_the_start)
{
	manager_open();
	cr_assert_eq(manager_live(degrades_later).status, 0);
}

/* ---- a service that is done before its pool is ready ---- */

static void done_early(void)
{
	manager->init = -1;
	start(weak());
	CHECK_EQ(brood_notify_ready(brood), 0);
	case_done();
	exit(0);
}
Test(notify_life, ready_though_the_pool_is_not)
{
	manager_open();
	cr_assert_eq(manager_live(done_early).status, 0);
	HEARD("STATUS=0 of 1 workers ready", "READY=1\nMAINPID=N", "STOPPING=1\nSTATUS=stopping");
}

static void never_ready(void)
{
	start(weak());
	case_done();
	exit(0);
}
Test(notify_life, no_ready_that_nobody_said)
{
	manager_open();
	cr_assert_eq(manager_live(never_ready).status, 0);
	HEARD("STATUS=0 of 1 workers ready", "STOPPING=1\nSTATUS=stopping");
}

static void fails_early(void)
{
	manager->init = -1;
	start(weak());
	CHECK_EQ(brood_notify_ready(brood), 0);
	case_done();
	exit(4);
}
Test(notify_life, no_ready_for_an_end_that_fails)
{
	manager_open();
	cr_assert_eq(WEXITSTATUS(manager_live(fails_early).status), 4);
	HEARD("STATUS=0 of 1 workers ready",
		"STOPPING=1\nSTATUS=the engine ended with exit code 4\nERRNO=125");
}

/* ---- stop_delay_ms ---- */

static void leaves(uint32_t delay_ms)
{
	struct brood_options options = weak();

	options.stop_delay_ms = delay_ms;
	start(options);
	CHECK_EQ(brood_notify_ready(brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	settle();
	manager->wish = SIGTERM;
	CHECK(WAIT_UNTIL(brood_wait_ready(brood, 0) == -ESHUTDOWN, 20000));
	CHECK_CONTAINS(brood_error(), "stop_delay_ms");
}
static void delayed(void)
{
	leaves(5000);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE); /* it serves on */
	CHECK(manager_signal_comes(20000));
	CHECK_EQ(brood_stop(brood), 0);
}
Test(notify_life, a_stop_that_waits)
{
	manager_open();
	cr_assert_eq(manager_live(delayed).status, 0);
	HEARD(BEGIN,
		"STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n"
		"STATUS=stops 5000 ms after the stop signal; " FIGURES("0"),
		"STATUS=stopping");
}

/* A second SIGTERM ends the wait, and is no reason to kill the engine. */
static void impatient(void)
{
	leaves(600000);
	CHECK(WAIT_UNTIL((manager->wish = SIGTERM, manager_signal_comes(100)), 20000));
	CHECK_EQ(brood_stop(brood), 0);
}
Test(notify_life, a_second_signal_ends_the_wait)
{
	manager_open();
	cr_assert_eq(manager_live(impatient).status, 0);
}

/* ---- one signal to all processes ---- */

static void once(int sig, bool everybody)
{
	start(weak());
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	manager->everybody = everybody;
	manager->wish = sig;
	CHECK(manager_signal_comes(20000));
	CHECK_MSG(!manager_signal_comes(500), "signal %d came twice", sig);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(brood_stop(brood), 0);
}
static void term_to_all(void) { once(SIGTERM, true); }
static void hup_to_all(void) { once(SIGHUP, true); }
static void hup_to_one(void) { once(SIGHUP, false); }
Test(notify_life, term_to_all_processes_is_one)
{
	manager_open();
	cr_assert_eq(manager_live(term_to_all).status, 0);
}
Test(notify_life, hup_to_all_processes_is_one)
{
	manager_open();
	cr_assert_eq(manager_live(hup_to_all).status, 0);
}
Test(notify_life, hup_to_the_supervisor_is_passed_on)
{
	manager_open();
	cr_assert_eq(manager_live(hup_to_one).status, 0);
}

/* A signal that is passed on to the engine ends no worker, whatever it does by default. */
static void passed_signals(void)
{
	static const int passed[] = { SIGPIPE, SIGXCPU, SIGUSR1 };
	struct brood_options options = weak();
	pid_t worker;

	options.pass_signals = passed;
	options.pass_signals_count = sizeof passed / sizeof *passed;
	start(options);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	worker = pool_ask_pid(brood);
	for (size_t i = 0; i < options.pass_signals_count; i++) {
		CHECK_EQ(kill(worker, passed[i]), 0);
		CHECK_EQ(pool_ask_pid(brood), worker);
	}
	CHECK_EQ(brood_stop(brood), 0);
}
Test(notify_life, passed_signals_end_no_worker)
{
	manager_open();
	cr_assert_eq(manager_live(passed_signals).status, 0);
}

/* ---- a manager that does not read ---- */

#define MANY 100

static void deaf_manager(void)
{
	char text[32];

	is_ready();
	manager->deaf = 1;
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "X_N=%d", i);
		CHECK_EQ(brood_notify(brood, text), 0);
		CHECK_EQ(brood_notify_status(brood, text), 0);
	}
	REFUSES(brood_notify_barrier(brood, 100), -ETIMEDOUT, "has not read");
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE); /* nobody waits for it */
	manager->deaf = 0;
	stop_by_signal(SIGTERM);
}

/* The messages are in order and have a bound, and the one that matters comes at last. */
Test(notify_life, deaf)
{
	int last = -1, n, count = 0;

	manager_open();
	manager_live(deaf_manager);
	for (unsigned i = 0; i < manager->heard; i++) {
		if (sscanf(manager->texts[i], "X_N=%d", &n) != 1)
			continue;
		cr_assert_gt(n, last, "%s", manager_all_heard());
		last = n;
		count++;
	}
	cr_assert_geq(count, 10, "%s", manager_all_heard());
	manager_forget_figures();
	cr_assert(manager_heard_last("STOPPING=1\nSTATUS=stopping"), "%s", manager_all_heard());
}
