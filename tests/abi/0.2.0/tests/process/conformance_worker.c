/* conformance_worker.c - what a job leaves behind in its worker, what the worker may use, and what its jobs cost: on every path. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* ---- what a job left ---- */

static void *__attribute__((noreturn)) sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}
static int leaves_thread(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	return pthread_create(&thread, NULL, sleeper, NULL);
}
static int leaves_fd(struct brood_job *job) { (void)job; return dup(0) < 0; }
static int leaves_child(struct brood_job *job)
{
	(void)job;
	if (fork() == 0)
		sleeper(NULL);
	return 0;
}
static int leaves_grandchild(struct brood_job *job) { (void)job; return system("sleep 99 &") != 0; }
static int leaves_zombie(struct brood_job *job)
{
	(void)job;
	if (fork() == 0)
		_exit(0);
	return 0;
}
static int leaves_mask(struct brood_job *job)
{
	sigset_t all;

	(void)job;
	sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}
static int leaves_alarm(struct brood_job *job) { (void)job; alarm(1); return 0; }
static int leaves_timer(struct brood_job *job)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	(void)job;
	return timer_create(CLOCK_MONOTONIC, &event, &timer);
}
static int leaves_cwd(struct brood_job *job) { (void)job; return chdir("/proc"); }
static int leaves_umask(struct brood_job *job) { (void)job; umask(0777); return 0; }
static int leaves_handlers(struct brood_job *job) { (void)job; signal(SIGTERM, SIG_IGN); signal(SIGUSR2, SIG_IGN); return 0; }
static int leaves_sigsys(struct brood_job *job) { (void)job; return signal(SIGSYS, SIG_IGN) == SIG_ERR; }
static int leaves_much(struct brood_job *job)
{
	(void)job;
	umask(0);
	return leaves_cwd(job) || leaves_mask(job) || leaves_fd(job);
}

struct state { char cwd[256]; mode_t umask; sigset_t mask; struct itimerval timer; struct sigaction usr2; int sys_default, rounding; };
static int says_state(struct brood_job *job)
{
	struct sigaction sys;
	struct state s;

	memset(&s, 0, sizeof s);
	s.rounding = fegetround();
	if (!getcwd(s.cwd, sizeof s.cwd))
		return 1;
	s.umask = umask(0);
	umask(s.umask);
	sigprocmask(SIG_BLOCK, NULL, &s.mask);
	getitimer(ITIMER_REAL, &s.timer);
	sigaction(SIGUSR2, NULL, &s.usr2);
	sigaction(SIGSYS, NULL, &sys);
	s.sys_default = sys.sa_handler != SIG_IGN;
	return brood_job_reply(job, &s, sizeof s) == sizeof s ? 0 : 1;
}

/* With an explicit lease: it ends with a worker that is replaced. */
static void lease_is_over(struct site *s)
{
	if (!site_is(s, KEPT))
		return;
	CHECK(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 && brood_lease_worker(s->lease, NULL, NULL, NULL) == -ESTALE, 20000));
}

static void all_is_right(struct site *s)
{
	struct given *g = RUN(s, says_state);
	struct state state;
	char cwd[256];

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, 0);
	CHECK_EQ(g->reply_size, sizeof state);
	memcpy(&state, g->reply, sizeof state);
	CHECK_STR(state.cwd, getcwd(cwd, sizeof cwd));
	CHECK_EQ(state.umask, 022);
	CHECK_EQ(state.timer.it_value.tv_sec, 0);
	CHECK(state.usr2.sa_handler == SIG_DFL);
	CHECK(state.sys_default);
	CHECK_EQ(state.rounding, FE_TONEAREST);
	for (int sig = 1; sig < 32; sig++)
		CHECK_EQ(sigismember(&state.mask, sig), 0);
}

#define COSTS (BROOD_LEFT_THREADS | BROOD_LEFT_FDS | BROOD_LEFT_CHILDREN | BROOD_LEFT_MEMORY)
static void leaves(struct site *s, brood_fn *fn, const char *name, uint32_t what)
{
	struct given *g = finish(give(s, &(struct what){ .fn = fn, .name = name })), *next;

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_MSG(g->v.left == what, "%s, %s: %x instead of %x", way_names[s->way], name, g->v.left, what);
	if (what & COSTS)
		lease_is_over(s);
	next = RUN(s, job_code);
	expect(next, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(next->v.left, 0);
	CHECK_EQ(next->v.slot, g->v.slot);
	CHECK_MSG(next->v.generation == g->v.generation + ((what & COSTS) != 0), "%s, %s: generation %u after %u", way_names[s->way], name, next->v.generation, g->v.generation);
	all_is_right(s);
}
#define LEAVES(s, fn, what) leaves(s, fn, #fn, what)

static void put_right(struct site *s)
{
	umask(022);
	LEAVES(s, job_code, 0);
	LEAVES(s, leaves_mask, BROOD_LEFT_MASK);
	LEAVES(s, leaves_alarm, BROOD_LEFT_TIMERS);
	LEAVES(s, leaves_timer, BROOD_LEFT_TIMERS);
	LEAVES(s, leaves_cwd, BROOD_LEFT_CWD);
	LEAVES(s, leaves_umask, BROOD_LEFT_UMASK);
	LEAVES(s, leaves_handlers, BROOD_LEFT_HANDLERS);
	LEAVES(s, leaves_sigsys, BROOD_LEFT_HANDLERS);
	LEAVES(s, leaves_umask, BROOD_LEFT_UMASK);             /* told again after that one, too */
	CHECK_EQ(pool_stats(s->brood).retired, 0);
}
CASE(put_right, EVERYWHERE | FRESH, .workers = 1)

static void costs_the_worker(struct site *s)
{
	umask(022);
	LEAVES(s, leaves_thread, BROOD_LEFT_THREADS);
	LEAVES(s, leaves_fd, BROOD_LEFT_FDS);
	LEAVES(s, leaves_child, BROOD_LEFT_CHILDREN);
	LEAVES(s, leaves_grandchild, BROOD_LEFT_CHILDREN);
	LEAVES(s, leaves_zombie, BROOD_LEFT_CHILDREN);
	LEAVES(s, leaves_much, BROOD_LEFT_FDS | BROOD_LEFT_MASK | BROOD_LEFT_UMASK | BROOD_LEFT_CWD);
	CHECK_EQ(pool_stats(s->brood).retired, 6);
}
CASE(costs_the_worker, EVERYWHERE | FRESH, .workers = 1)

/* Those behind such a job lose nothing by it. Not on an explicit lease, which is over with its worker. */
static int gated_and_leaves(struct brood_job *job) { return job_gated(job) || leaves_thread(job); }
static void behind_a_litterer(struct site *s)
{
	struct given *first = GIVE(s, gated_and_leaves), *g[10];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 10; i++)
		g[i] = GIVE(s, job_orders, .number = i);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(first->v.left, BROOD_LEFT_THREADS);
	for (int i = 0; i < 10; i++) {
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_NE(g[i]->v.pid, first->v.pid);
		CHECK_EQ(g[i]->v.left, 0);
	}
	for (int i = 0; i < 10 && !site_is(s, CALLS); i++)
		CHECK_EQ(atomic_load(&s->stage->order[i]), i);
}
CASE(behind_a_litterer, ANY_WORKER | ALONE, .workers = 1)

static void tolerated(struct site *s)
{
	struct given *first = RUN(s, job_code), *g;

	g = RUN(s, leaves_fd);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, BROOD_LEFT_FDS);
	g = RUN(s, leaves_zombie);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK(g->v.left & BROOD_LEFT_CHILDREN);
	g = RUN(s, leaves_thread);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK(g->v.left & BROOD_LEFT_THREADS);
	g = RUN(s, job_code);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.pid, first->v.pid);
}
CASE(tolerated, EVERYWHERE | FRESH, .workers = 1, .tolerate = BROOD_LEFT_FDS | BROOD_LEFT_THREADS | BROOD_LEFT_CHILDREN)

/* Without a system call: what it may leave behind even so is put right. */
static int rounds_up(struct brood_job *job) { (void)job; return fesetround(FE_UPWARD); }
static void rounding(struct site *s)
{
	struct given *g;

	umask(022);
	for (int i = 0; i < 3; i++) {
		g = RUN(s, rounds_up);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.left, 0);
		all_is_right(s);
	}
}
CASE(rounding, EVERYWHERE | ALONE, .workers = 1)

/* Each job's own: those with leftovers among those without, given at once. */
static void each_its_own(struct site *s)
{
	struct given *g[24];

	for (int i = 0; i < 24; i++)
		g[i] = i % 3 == 0 ? GIVE(s, leaves_umask) : i % 3 == 1 ? GIVE(s, job_code) : GIVE(s, leaves_mask);
	for (int i = 0; i < 24; i++) {
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g[i]->v.left, i % 3 == 0 ? BROOD_LEFT_UMASK : i % 3 == 1 ? 0 : BROOD_LEFT_MASK);
	}
}
CASE(each_its_own, EVERYWHERE)

/* A job that is trusted and should not be: its worker is replaced all the same, at the latest when it has nothing else to do. */
static void trusted(struct site *s)
{
	struct given *g;

	for (int i = 0; i < 4; i++)
		expect(RUN(s, job_code, .options.flags = BROOD_JOB_TRUSTED), BROOD_DONE, BROOD_DETAIL_NONE);
	g = RUN(s, leaves_thread, .options.flags = BROOD_JOB_TRUSTED);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK((g->v.left & ~(uint32_t)BROOD_LEFT_THREADS) == 0);
	CHECK(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 && !proc_alive(g->v.pid), 20000));
	lease_is_over(s);
	site_well(s);
}
CASE(trusted, EVERYWHERE | ALONE, .workers = 1)

/* ---- what it may use ---- */

static int leaks_until_null(struct brood_job *job)
{
	(void)job;
	for (;;) {
		char *p = malloc(1 << 20);

		if (!p)
			return 12;
		memset(p, 1, 1 << 20);
	}
}
static int __attribute__((noreturn)) leaks_and_crashes(struct brood_job *job)
{
	(void)job;
	for (;;)
		memset(malloc(1 << 20), 1, 1 << 20);
}
static int leaks_and_exits(struct brood_job *job)
{
	leaks_until_null(job);
	_exit(4);
}
static int uses_much(struct brood_job *job)
{
	size_t size = (size_t)said(job)->number << 20;
	char *p = malloc(size);

	if (!p)
		return 1;
	memset(p, 1, size);
	free(p);
	return 0;
}

static void memory(struct site *s)
{
	struct given *g = RUN(s, leaks_until_null);

	expect(g, BROOD_FAILED, BROOD_DETAIL_MEMORY);
	CHECK_EQ(g->v.code, 12);
	CHECK_EQ(g->v.left, BROOD_LEFT_MEMORY);
	lease_is_over(s);
	g = RUN(s, leaks_and_crashes);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_MEMORY);
	CHECK_EQ(g->v.signal, SIGSEGV);
	g = RUN(s, leaks_and_exits);
	expect(g, BROOD_EXITED, BROOD_DETAIL_MEMORY);
	CHECK_EQ(g->v.code, 4);
	g = RUN(s, uses_much, .number = 8);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, 0);
	site_well(s);
}
/* A sanitizer's allocator maps what it likes. */
#ifndef __SANITIZE_ADDRESS__
CASE(memory, EVERYWHERE | ALONE, .workers = 1, .worker_memory = 32 << 20)
#else
static void __attribute__((unused)) (*const unused_memory)(struct site *s) = memory;
#endif

static int uses_stack(struct brood_job *job)
{
	volatile char space[16384];

	for (size_t i = 0; i < sizeof space; i += 512)
		space[i] = (char)said(job)->number;
	return space[512];
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int __attribute__((noinline)) deeper(volatile char *above)
{
	volatile char here[4096];

	here[0] = above ? above[0] : 1;
	return deeper(here) + here[0];
}
#pragma GCC diagnostic pop
static int overflows(struct brood_job *job) { (void)job; return deeper(NULL); }

static void stack(struct site *s)
{
	struct given *g = RUN(s, uses_stack, .number = 5);

	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 5);
	g = RUN(s, overflows);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, SIGSEGV);
	expect(RUN(s, job_code), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(stack, EVERYWHERE, .stack_size = 65536)

/* A worker that can take no file any more is an earlier job's doing, and no later one's fault. Not on an explicit lease, where there is no other worker. */
static int shuts_the_door(struct brood_job *job)
{
	struct rlimit none = { 0, 0 };

	(void)job;
	return setrlimit(RLIMIT_NOFILE, &none);
}
static void without_files(struct site *s)
{
	expect(RUN(s, shuts_the_door), BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 0; i < 10; i++) {
		struct given *g = RUN(s, job_code);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.left, 0);
	}
}
CASE(without_files, ANY_WORKER, .workers = 4)

/* ---- what it costs ---- */

static uint64_t own_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
static int burns(struct brood_job *job)
{
	uint64_t end = own_cpu_us() + (uint64_t)said(job)->number;

	while (own_cpu_us() < end)
		;
	return 0;
}
static int touches(struct brood_job *job)
{
	size_t size = (size_t)said(job)->number << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, 1, size);
	munmap(p, size);
	return 0;
}

static void accounted(struct site *s)
{
	struct given *g = RUN(s, burns, .number = 30000);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GE(g->v.cpu_us, 30000);
	CHECK_LT(g->v.cpu_us, 60000000);
	g = RUN(s, job_code);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_LT(g->v.cpu_us, 30000);
	CHECK_GT(g->v.peak_kb, 0);
	g = RUN(s, touches, .number = 100);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GE(g->v.peak_kb, 100 << 10);
	g = RUN(s, touches, .number = 20);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GE(g->v.peak_kb, 20 << 10);
	CHECK_LT(g->v.peak_kb, 100 << 10);
	g = RUN(s, job_code);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_LT(g->v.peak_kb, 100 << 10);
	CHECK_EQ(g->v.left, 0);
}
CASE(accounted, EVERYWHERE | ALONE, .workers = 1, .flags = BROOD_ACCOUNT_CPU | BROOD_ACCOUNT_MEMORY)

static void not_accounted(struct site *s)
{
	struct given *g = RUN(s, burns, .number = 2000);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.cpu_us, 0);
	CHECK_EQ(g->v.peak_kb, 0);
	g = RUN(s, job_raises, .number = SIGSEGV);             /* a worker that died is known */
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_GT(g->v.cpu_us, 0);
	CHECK_GT(g->v.peak_kb, 0);
}
CASE(not_accounted, EVERYWHERE)
