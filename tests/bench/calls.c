/* SPDX-License-Identifier: MIT */
/*
 * calls.c - what system calls in a job cost its worker. One worker on lease; the figure is the
 * worker's CPU time a job, with all that the worker does around the job. The floors are a bare trap
 * (PR_SET_SYSCALL_USER_DISPATCH) for each call, and the bare calls.
 *
 * The engine gives a few jobs, and naps until all have run. If it waited for results, the worker
 * would wake it after each job: on one CPU that is dearer than the calls.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define OUT       32
#define NAP_NS    100000
#define RESULT_MS 30000u

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static void make_calls(uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i++)
		syscall(SYS_getpid);
}

static double cpu_us(clockid_t clock)
{
	struct timespec t;

	station_need(!clock_gettime(clock, &t), "clock_gettime");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- jobs ---- */

static _Atomic uint32_t *ran; /* how many jobs have run: shared with the worker */

static int job_calls(struct brood_job *job)
{
	make_calls(*(const uint32_t *)brood_job_arg(job, NULL));
	atomic_fetch_add(ran, 1);
	return 0;
}

static int job_opens(struct brood_job *job)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)job;
	atomic_fetch_add(ran, 1);
	return fd < 0 || close(fd) < 0;
}

static struct brood *brood;
static struct brood_queue *queue;
static struct brood_job_options options;
static uint32_t calls;
static clockid_t worker;

static void give(const struct params *p)
{
	brood_fn *job = p->pair ? job_opens : job_calls;

	if (brood_submit(brood, job, "", 0, &options, NULL))
		station_fail("brood_submit: %s", brood_error());
}

/* Returns how many jobs are done. */
static uint32_t take(pid_t *ret_pid)
{
	const struct brood_result *results[OUT];
	int n = brood_queue_wait(queue, RESULT_MS) > 0 ? brood_take(queue, results, OUT) : -1;

	if (n <= 0)
		station_fail("no result came: %s", brood_error());
	for (int i = 0; i < n; i++) {
		pool_check(&results[i]->verdict, results[i]->verdict.id, BROOD_PATH_LEASE);
		*ret_pid = results[i]->verdict.pid;
	}
	return (uint32_t)n;
}

static void run(const struct params *p, uint32_t jobs, pid_t *ret_pid)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	uint32_t given = 0, done = 0;

	while (done < jobs) {
		uint32_t until = atomic_load(ran) + (jobs - given < OUT ? jobs - given : OUT);
		uint64_t late = now_ns() + RESULT_MS * UINT64_C(1000000);

		for (uint32_t i = 0; i < OUT && given < jobs; i++, given++)
			give(p);
		for (;;) {
			brood_queue_dispatch(queue); /* the worker hears of all of them */
			if (atomic_load(ran) == until)
				break;
			if (now_ns() > late)
				station_fail("a job did not run");
			nanosleep(&nap, NULL);
		}
		while (done < given)
			done += take(ret_pid);
	}
}

static void calls_open(const struct params *p)
{
	pid_t pid = 0;

	ran = mmap(NULL, sizeof *ran, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	station_need(ran != MAP_FAILED, "mmap");
	brood = pool_start(p, NULL);
	if (brood_queue_new(brood, NULL, &queue))
		station_fail("brood_queue_new: %s", brood_error());
	calls = p->calls;
	options = (struct brood_job_options){ .size = sizeof options,
		.queue = queue,
		.flags = BROOD_JOB_MORE | (p->trusted ? BROOD_JOB_TRUSTED : 0),
		.arg = &calls,
		.arg_size = sizeof calls };
	run(p, 1000, &pid); /* the worker learns what the function usually does */
	station_need(!clock_getcpuclockid(pid, &worker), "clock_getcpuclockid");
}

static void calls_block(const struct params *p, uint32_t jobs, double *values)
{
	double before = cpu_us(worker);
	pid_t pid;

	run(p, jobs, &pid);
	values[0] = (cpu_us(worker) - before) / jobs;
}

const struct kind bench_calls = { .open = calls_open, .block = calls_block };

/* ---- floors ---- */

static volatile char selector;

#ifdef __x86_64__
static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	selector = 0;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] -= 2;
}

static void trap_open(const struct params *p)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	(void)p;
	station_need(!sigaction(SIGSYS, &action, NULL), "sigaction");
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1L, 0L, 0L, &selector))
		station_skip("no system call dispatch here");
}
#else
static void trap_open(const struct params *p)
{
	(void)p;
	station_skip("no system call dispatch here");
}
#endif

static void trap_block(const struct params *p, uint32_t jobs, double *values)
{
	double before = cpu_us(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t i = 0; i < jobs * p->calls; i++) {
		selector = 1;
		syscall(SYS_getpid);
	}
	values[0] = (cpu_us(CLOCK_THREAD_CPUTIME_ID) - before) / jobs;
}

static void bare_open(const struct params *p) { (void)p; }

static void bare_block(const struct params *p, uint32_t jobs, double *values)
{
	double before = cpu_us(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t i = 0; i < jobs; i++)
		make_calls(p->calls);
	values[0] = (cpu_us(CLOCK_THREAD_CPUTIME_ID) - before) / jobs;
}

const struct kind floor_trap = { .open = trap_open, .block = trap_block };
const struct kind floor_bare = { .open = bare_open, .block = bare_block };
