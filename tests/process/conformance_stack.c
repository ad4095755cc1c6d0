/* SPDX-License-Identifier: MIT */
/*
 * conformance_stack.c - the stack that jobs run on, and the handlers that meet it, on every path:
 * the bounds that the C library says, coroutines, an overflow, and a soft step that needs neither
 * room on the job's stack nor a place in the kernel's queue of signals.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define STACK (1u << 20)
#define SOFT                                            \
	{                                               \
		.run_ms = 50, .grace_ms = BROOD_FOREVER \
	}

/* ---- the bounds ---- */

/*
 * 0: all `size` bytes below the caller are within the stack's bounds as the C library tells them.
 */
static __attribute__((noinline)) int bounds_are_true(size_t size)
{
	pthread_attr_t attr;
	void *low;
	size_t all;
	char here;

	if (pthread_getattr_np(pthread_self(), &attr))
		return 1;
	pthread_attr_getstack(&attr, &low, &all);
	pthread_attr_destroy(&attr);
	if (&here < (char *)low || &here >= (char *)low + all)
		return 2;
	return (size_t)(&here - (char *)low) < size ? 3 : 0;
}
/* What the job's own frames take is small. */
static int asks_for_bounds(struct brood_job *job)
{
	(void)job;
	return bounds_are_true(STACK - 16384);
}
static int uses_nearly_all(struct brood_job *job)
{
	volatile char *all = (volatile char *)__builtin_alloca(STACK - 65536);

	(void)job;
	for (size_t i = STACK - 65536; i-- > 0;)
		all[i] = 1;
	return all[0] - 1;
}

static void bounds(struct site *s)
{
	expect(RUN(s, asks_for_bounds), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN(s, uses_nearly_all), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN(s, asks_for_bounds), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(bounds, EVERYWHERE | ALONE, .stack_size = STACK)

/* ---- an overflow, and its handler ---- */

static atomic_int *handled;

static void on_overflow(int sig)
{
	atomic_fetch_add(handled, 1);
	signal(sig, SIG_DFL);
}
static int catch_overflow(void *context)
{
	struct sigaction action = { .sa_handler = on_overflow, .sa_flags = SA_ONSTACK };

	(void)context;
	return sigaction(SIGSEGV, &action, NULL);
}
static void __attribute__((constructor)) before_the_start(void)
{
	handled = mmap(
		NULL, sizeof *handled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void overflow(struct site *s)
{
	struct given *g;
	int before = atomic_load(handled);

	g = RUN(s, job_overflows);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, SIGSEGV);
	CHECK_EQ(atomic_load(handled), before + 1);
	site_well(s);
}
CASE(overflow, EVERYWHERE | ALONE, .stack_size = STACK, .worker_init = catch_overflow)

/* ---- coroutines ---- */

#define SIZE (128u << 10)
static char made_before[SIZE];
static sigjmp_buf in_home, in_coroutine;
static ucontext_t home, co;
static volatile int steps;

static void coroutine(void)
{
	if (sigsetjmp(in_coroutine, 0) == 0)
		swapcontext(&co, &home);
	for (;;) {
		steps++;
		if (sigsetjmp(in_coroutine, 0) == 0)
			siglongjmp(in_home, 1);
	}
}
static void enter(void (*fn)(void), char *stack, size_t size)
{
	getcontext(&co);
	co.uc_stack.ss_sp = stack;
	co.uc_stack.ss_size = size;
	co.uc_link = &home;
	makecontext(&co, fn, 0);
	swapcontext(&home, &co);
}
/* The first switch is swapcontext()'s; all others are jumps. */
static int switches_on(char *stack)
{
	steps = 0;
	if (!stack || stack == MAP_FAILED)
		return 1;
	enter(coroutine, stack, SIZE);
	for (volatile int i = 0; i < 100; i++)
		if (sigsetjmp(in_home, 0) == 0)
			siglongjmp(in_coroutine, 1);
	return steps == 100 ? 0 : 2;
}
static int switches(struct brood_job *job)
{
	char *small = malloc(SIZE); /* of the heap's */
	char *mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char local[SIZE]; /* within the job's own */
	int code;

	(void)job;
	code = switches_on(made_before);
	code = code ? code : switches_on(small);
	code = code ? code : switches_on(mapped);
	code = code ? code : switches_on(local);
	free(small);
	munmap(mapped, SIZE);
	return code;
}

/* set in the engine after the workers were born; here it must be set, too */
static jmp_buf outside;
static void jumps_out(void) { longjmp(outside, 1); }
static __attribute__((constructor)) void set_outside(void)
{
	if (setjmp(outside) != 0)
		_exit(99);
}
static int jumps_out_of_a_coroutine(struct brood_job *job)
{
	(void)job;
	enter(jumps_out, made_before, SIZE);
	return 0;
}
static void ends_thread(void) { pthread_exit(NULL); }
static int ends_thread_in_a_coroutine(struct brood_job *job)
{
	(void)job;
	enter(ends_thread, made_before, SIZE);
	return 0;
}

static void coroutines(struct site *s)
{
	expect(RUN(s, switches), BROOD_DONE, BROOD_DETAIL_NONE);
	expect(RUN(s, jumps_out_of_a_coroutine), BROOD_CRASHED, BROOD_DETAIL_LONGJMP);
	CHECK_EQ(RUN(s, ends_thread_in_a_coroutine)->v.outcome, BROOD_CRASHED);
	expect(RUN(s, switches), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(coroutines, EVERYWHERE | ALONE)

/* ---- the soft step ---- */

#define USED 16384
#ifdef __SANITIZE_ADDRESS__
#define SAID \
	BROOD_LEFT_FDS /* and it opens a file of its own to warn of a stack that it does not know */
#define SPARE 65536    /* its own frames and red zones are larger than what is tested */
#else
#define SPARE 1024
#define SAID  0
#endif
static struct brood_job *the_job;
static volatile bool told;

static void spins_on_small_stack(void)
{
	volatile char *used = (volatile char *)__builtin_alloca(USED);

	used[0] = 1;
	while (!brood_job_cancelled(the_job))
		;
	told = true;
}
/* The page below is not mapped. number: the job has an alternate stack of its own. */
static int has_a_small_stack(struct brood_job *job)
{
	static char own[65536];
	const stack_t alternate = { .ss_sp = own, .ss_size = sizeof own };
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = USED + SPARE;
	const size_t room = (size + page - 1) / page * page;
	char *m = mmap(NULL, page + room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || mprotect(m + page, room, PROT_READ | PROT_WRITE) < 0)
		return 1;
	if (said(job)->number && sigaltstack(&alternate, NULL) < 0)
		return 2;
	the_job = job;
	told = false;
	enter(spins_on_small_stack, m + page, size);
	munmap(m, page + room);
	return told ? 42 : 3;
}

static void small_stack(struct site *s)
{
	for (long own = 0; own < 2; own++) {
		struct given *g = RUN(s, has_a_small_stack, .number = own, .options = SOFT);

		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, 42);
		CHECK_EQ(g->v.left & ~SAID, own ? BROOD_LEFT_HANDLERS : 0);
	}
	site_well(s);
}
CASE(small_stack, EVERYWHERE | ALONE)

/* The limit counts for the process that gets the signal: this worker's queue of signals is full. */
static int has_no_queue(struct brood_job *job)
{
	const struct rlimit none = { 0, 0 };
	struct pollfd p = { .fd = brood_job_cancel_fd(job), .events = POLLIN };

	if (p.fd < 0 || setrlimit(RLIMIT_SIGPENDING, &none) < 0)
		return 1;
	atomic_fetch_add(&said(job)->stage->entered, 1);
	while (poll(&p, 1, -1) < 0)
		;
	return brood_job_cancelled(job) ? 42 : 2;
}
static int blocks_all_signals(struct brood_job *job)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	atomic_fetch_add(&said(job)->stage->entered, 1);
	while (!brood_job_cancelled(job))
		usleep(1000);
	return 42;
}
static int is_deaf_to_others(struct brood_job *job)
{
	for (int i = 0; i < 10; i++)
		kill(getpid(), i & 1 ? SIGTERM : SIGHUP);
	return brood_job_cancelled(job) ? 1 : 0;
}

static void soft_step(struct site *s)
{
	static const struct {
		brood_fn *fn;
		const char *name;
	} list[] = {
		{ has_no_queue, "has_no_queue" },
		{ blocks_all_signals, "blocks_all_signals" },
	};

	for (int i = 0; i < 4; i++) {
		bool cancel = i >= 2;
		unsigned before = atomic_load(&s->stage->entered);
		struct what what = {
			.fn = list[i & 1].fn, .name = list[i & 1].name, .options = SOFT
		};
		struct given *g;

		if (cancel)
			what.options.run_ms = BROOD_FOREVER;
		g = give(s, &what);
		CHECK(stage_entered(s, before + 1));
		if (cancel)
			CHECK_EQ(brood_cancel(s->brood, given_id(g)), 0);
		finish(g);
		CHECK_EQ(g->v.outcome, BROOD_FAILED);
		CHECK_EQ(g->v.code, 42);
		expect(RUN(s, is_deaf_to_others), BROOD_DONE, BROOD_DETAIL_NONE);
	}
}
CASE(soft_step, EVERYWHERE | ALONE, .workers = 1)
