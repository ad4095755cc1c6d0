/* SPDX-License-Identifier: MIT */
/*
 * worker_hygiene.c - one worker: what a job left is found, said, and put right for the next one;
 * what the program itself set up in worker_init is nobody's fault.
 */
#define _GNU_SOURCE
#include "../helpers/residue_jobs.h"
#include "worker.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(worker_hygiene, .timeout = 60);

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATOR 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(OWN_ALLOCATOR)
/* its allocator takes a refusal for the program's end */
#define MEMORY_ROWS 0
#else
#define MEMORY_ROWS 1
#endif

/* ---- put right ---- */

static int blocks_and_waits(struct brood_job *job)
{
	sigset_t set;

	(void)job;
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1); /* unblocking would be the worker's end */
	raise(SIGALRM);
	return 0;
}
static int profiles(struct brood_job *job)
{
	struct itimerval soon = { .it_value = { .tv_usec = 20000 } };

	(void)job;
	return setitimer(ITIMER_PROF, &soon, NULL) | setitimer(ITIMER_VIRTUAL, &soon, NULL);
}
static int makes_timers(struct brood_job *job)
{
	struct itimerspec soon = { .it_value = { .tv_nsec = 50000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	(void)job;
	for (int i = 0; i < 20; i++)
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
			timer_settime(timer, 0, &soon, NULL) < 0)
			return 1;
	return 0;
}
static int uses_timer(struct brood_job *job) /* and gives it back */
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	(void)job;
	return timer_create(CLOCK_MONOTONIC, &event, &timer) | timer_delete(timer);
}
static int handles(struct brood_job *job)
{
	(void)job;
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	return 0;
}
/* a signal that is looked at only after jobs that took their time */
static int handles_slowly(struct brood_job *job)
{
	struct timespec ms = { .tv_nsec = 2000000 };

	(void)job;
	signal(SIGURG, SIG_IGN);
	return nanosleep(&ms, NULL);
}
static char signal_stack[65536];
static int changes_stack(struct brood_job *job)
{
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof signal_stack };

	(void)job;
	return sigaltstack(&stack, NULL);
}

/* The state that each job must find, whatever the one before it did. */
static int finds_order(struct brood_job *job)
{
	struct timespec wait = { .tv_nsec = 70000000 };
	struct sigaction action;
	char cwd[256];
	sigset_t set;
	stack_t stack;
	mode_t mask = umask(0);

	(void)job;
	umask(mask);
	if (mask != 027 || !getcwd(cwd, sizeof cwd) || strcmp(cwd, "/") != 0)
		return 1;
	if (sigprocmask(SIG_BLOCK, NULL, &set) < 0 || sigismember(&set, SIGUSR1) ||
		!sigismember(&set, SIGWINCH))
		return 2;
	if (sigaction(SIGTERM, NULL, &action) < 0 || action.sa_handler == SIG_IGN ||
		sigaction(SIGUSR1, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
		return 3;
	if (sigaltstack(NULL, &stack) < 0 || stack.ss_sp == signal_stack ||
		fegetround() != FE_TONEAREST)
		return 4;
	/* a timer of the job before would end us here */
	nanosleep(&wait, NULL);
	return 0;
}

static int prepares(void *context)
{
	sigset_t set;

	(void)context;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	umask(027);
	return chdir("/") | sigprocmask(SIG_BLOCK, &set, NULL);
}

static void put_right(void)
{
	static const struct {
		brood_fn *fn;
		uint32_t left;
	} rows[] = {
		{ nothing, 0 },
		{ blocks_and_waits, BROOD_LEFT_MASK },
		{ leaves_alarm, BROOD_LEFT_TIMERS },
		{ profiles, BROOD_LEFT_TIMERS },
		{ makes_timers, BROOD_LEFT_TIMERS },
		{ uses_timer, 0 },
		{ leaves_cwd, BROOD_LEFT_CWD },
		{ leaves_umask, BROOD_LEFT_UMASK },
		{ handles, BROOD_LEFT_HANDLERS },
		{ handles_slowly, BROOD_LEFT_HANDLERS },
		{ changes_stack, BROOD_LEFT_HANDLERS },
		{ rounds_up, 0 },
	};
	struct message_finished m;

	fake_init(&fake);
	fake.options.worker_init = prepares;
	fake_start(&fake);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		m = fake_job(&fake, rows[i].fn);
		CHECK_MSG(m.code == 0 && m.left == rows[i].left && m.flags == 0,
			"row %zu: code %d, left %x, flags %x", i, m.code, m.left, m.flags);
		m = fake_job(&fake, finds_order);
		CHECK_MSG(m.code == 0 && m.left == 0, "after row %zu: code %d, left %x", i, m.code,
			m.left);
	}
	fake_end(&fake);
}
Test(worker_hygiene, put_right) { case_run(put_right, 30000); }

/* ---- costs the worker ---- */

static int closes_stdout(struct brood_job *job)
{
	(void)job;
	return close(1);
}
static int redirects_stdout(struct brood_job *job) /* as many are open as before */
{
	int fd = open("/", O_RDONLY);

	(void)job;
	return fd < 0 || dup2(fd, 1) < 0 || close(fd) < 0;
}
static int redirects_for_a_while(struct brood_job *job)
{
	int before = dup(1), r = redirects_stdout(job);

	return r || dup2(before, 1) < 0 || close(before) < 0;
}
static int grows(struct brood_job *job)
{
	size_t size = 15 << 20;
	volatile char *memory = malloc(size);
	bool got = memory;

	(void)job;
	for (size_t i = 0; memory && i < size; i += 512)
		memory[i] = 1;
	return got ? 0 : 1;
}
static int grows_too_much(struct brood_job *job)
{
	/* a malloc() whose result nobody uses may be left out */
	void *volatile memory = malloc(17 << 20);

	(void)job;
	return memory == NULL ? 0 : 1;
}

static void exit_hook(void *context)
{
	(void)context;
	atomic_fetch_add((atomic_int *)case_shared(), 1);
}

static void costly(void)
{
	static const struct {
		brood_fn *fn;
		uint32_t left;
		int hook;
	} rows[] = {
		{ leaves_thread, BROOD_LEFT_THREADS, 0 },
		{ leaves_fd, BROOD_LEFT_FDS, 1 },
		{ closes_stdout, BROOD_LEFT_FDS, 1 },
		{ redirects_stdout, BROOD_LEFT_FDS, 1 },
		{ grows, BROOD_LEFT_MEMORY, 1 },
	};

	fake_init(&fake);
	fake.options.worker_memory = MEMORY_ROWS ? 16 << 20 : 0;
	fake.options.worker_exit = exit_hook;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] - !MEMORY_ROWS; i++) {
		atomic_int *hooks = case_shared();
		struct message_finished m;

		atomic_store(hooks, 0);
		fake_start(&fake);
		CHECK_EQ(fake_job(&fake, nothing).left, 0);
		CHECK_EQ(fake_job(&fake, redirects_for_a_while).left, 0);
		if (MEMORY_ROWS)
			CHECK_EQ(fake_job(&fake, grows_too_much).code, 0);
		m = fake_job(&fake, rows[i].fn);
		CHECK_MSG(m.code == 0 && m.left == rows[i].left && m.flags == FINISHED_RETIRING,
			"row %zu: code %d, left %x, flags %x", i, m.code, m.left, m.flags);
		CHECK_EQ(fake_exit_code(&fake), 0);
		CHECK_EQ(atomic_load(hooks), rows[i].hook);
	}
}
Test(worker_hygiene, costs_the_worker) { case_run(costly, 20000); }

static int has_no_child(struct brood_job *job)
{
	siginfo_t info;

	(void)job;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD ? 0
											     : 1;
}

/*
 * Said all the same, of the job that left it alone. Children that have ended do not pile up as
 * zombies.
 */
static void tolerated(void)
{
	struct message_finished m;

	fake_init(&fake);
	fake.options.tolerate = BROOD_LEFT_THREADS | BROOD_LEFT_CHILDREN | BROOD_LEFT_FDS;
	fake_start(&fake);
	m = fake_job(&fake, leaves_fd);
	CHECK_EQ(m.left, BROOD_LEFT_FDS);
	CHECK_EQ(m.flags, 0);
	m = fake_job(&fake, leaves_zombie);
	CHECK_EQ(m.left, BROOD_LEFT_CHILDREN);
	CHECK_EQ(m.flags, 0);
	CHECK(WAIT_UNTIL(fake_job(&fake, has_no_child).code == 0, 5000));
	m = fake_job(&fake, leaves_zombie);
	CHECK_EQ(m.left, BROOD_LEFT_CHILDREN);
	CHECK(WAIT_UNTIL(fake_job(&fake, has_no_child).code == 0, 5000));
	m = fake_job(&fake, leaves_thread);
	CHECK_EQ(m.left, BROOD_LEFT_THREADS);
	CHECK_EQ(m.flags, 0);
	CHECK_EQ(fake_job(&fake, nothing).left, 0);
	fake_end(&fake);
}
Test(worker_hygiene, tolerated) { case_run(tolerated, 20000); }

/* ---- the program's own ---- */

static int sets_up(void *context)
{
	struct itimerval late = { .it_value = { .tv_sec = 500 } };
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	(void)context;
	signal(SIGUSR1, SIG_IGN);
	/* that one stays the worker's: the soft step needs it */
	signal(SIGTERM, SIG_IGN);
	if (leaves_thread(NULL) != 0 || open("/dev/null", O_RDONLY) < 0)
		return 1;
	return setitimer(ITIMER_REAL, &late, NULL) | timer_create(CLOCK_MONOTONIC, &event, &timer);
}

static int finds_set_up(struct brood_job *job)
{
	struct sigaction action;
	struct itimerval now;

	(void)job;
	return getitimer(ITIMER_REAL, &now) == 0 && now.it_value.tv_sec > 400 &&
			sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN &&
			sigaction(SIGTERM, NULL, &action) == 0 && action.sa_handler != SIG_IGN
		? 0
		: 1;
}

static void own(void)
{
	struct message_finished m;

	fake_init(&fake);
	fake.options.worker_init = sets_up;
	fake_start(&fake);
	for (int i = 0; i < 3; i++) {
		m = fake_job(&fake, finds_set_up);
		CHECK_EQ(m.code, 0);
		CHECK_EQ(m.left, 0);
	}
	CHECK_EQ(fake_job(&fake, leaves_thread).left, BROOD_LEFT_THREADS);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
Test(worker_hygiene, what_worker_init_set_up) { case_run(own, 20000); }

/* What a job printed is out before its verdict, whatever happens to the worker later. */
static int prints(struct brood_job *job)
{
	(void)job;
	return printf("printed") != 7;
}

static void printed(void)
{
	char text[16] = "";
	int out[2];

	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	CHECK_EQ(dup2(out[1], 1), 1);
	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, prints).code, 0);
	CHECK_EQ(read(out[0], text, sizeof text), 7);
	CHECK_STR(text, "printed");
	CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit(&fake).status, SIGKILL);
}
Test(worker_hygiene, what_a_job_printed) { case_run(printed, 20000); }

/* ---- a limit without an end ---- */

static int takes_memory(struct brood_job *job)
{
	void *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)job;
	return at == MAP_FAILED || munmap(at, 1 << 20) < 0;
}

static void as_much_as_there_is(void)
{
	fake_init(&fake);
	fake.options.worker_memory = UINT64_MAX;
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, takes_memory).code, 0);
	fake_end(&fake);
}
Test(worker_hygiene, the_largest_worker_memory) { case_run(as_much_as_there_is, 20000); }
