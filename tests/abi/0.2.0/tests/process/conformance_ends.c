/* conformance_ends.c - each end that a job can have, on every path: its verdict, and no other job's harm. */
#include "../helpers/conformance.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* ---- by itself ---- */

static void codes(struct site *s)
{
	static const int list[] = { 1, 7, 255, 256, -1, INT_MAX, INT_MIN };

	expect(RUN(s, job_code, .number = 0), BROOD_DONE, BROOD_DETAIL_NONE);
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct given *g = RUN(s, job_code, .number = list[i]);

		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, list[i]);
		CHECK_EQ(g->v.attempts, 1);
		CHECK_EQ(g->v.signal, 0);
	}
}
CASE(codes, EVERYWHERE)

static int replies_and_fails(struct brood_job *job)
{
	return brood_job_write(job, "partly", 6) == 6 ? 3 : 4;
}

static void failed_with_reply(struct site *s)
{
	struct given *g = RUN(s, replies_and_fails, .request = "request", .size = 7);

	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 3);
	CHECK_EQ(g->reply_size, 6);
	CHECK_MEM(g->reply, "partly", 6);
}
CASE(failed_with_reply, EVERYWHERE)

/* ---- signals ---- */

static void signals(struct site *s)
{
	static const int ends[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, SIGPWR };
	static const int nothing[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGURG, SIGWINCH, SIGCONT };

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct given *g = RUN(s, job_raises, .number = ends[i]);

		expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.signal, ends[i]);
		CHECK_EQ(g->v.started, 1);
		CHECK_EQ(g->v.attempts, 1);
	}
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
		expect(RUN(s, job_raises, .number = nothing[i]), BROOD_DONE, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(signals, EVERYWHERE)

static volatile int *volatile nowhere;
static volatile int zero __attribute__((unused));
static int writes_nowhere(struct brood_job *job) { (void)job; *nowhere = 1; return 0; }
static int calls_nowhere(struct brood_job *job) { return ((brood_fn *)(uintptr_t)nowhere)(job); }
static int aborts(struct brood_job *job) { (void)job; abort(); }
static int asserts(struct brood_job *job) { assert(job == NULL); return 0; }
static int traps(struct brood_job *job) { (void)job; __builtin_trap(); }
static int reads_past_file(struct brood_job *job)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)job;
	return p[0];
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

static void *thread_crashes(void *arg) { (void)arg; abort(); }
static void *thread_exits(void *arg) { (void)arg; exit(5); }
static int crashes_in_thread(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	return pthread_create(&thread, NULL, thread_crashes, NULL) || pthread_join(thread, NULL);
}
static int exits_in_thread(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	return pthread_create(&thread, NULL, thread_exits, NULL) || pthread_join(thread, NULL);
}

static void crashed_by(struct site *s, brood_fn *fn, const char *name, int sig)
{
	struct given *g = finish(give(s, &(struct what){ .fn = fn, .name = name, .request = "r", .size = 1 }));

	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_MSG(g->v.signal == sig, "%s: signal %d", name, g->v.signal);
}
#define CRASHED_BY(s, fn, sig) crashed_by(s, fn, #fn, sig)

static void faults(struct site *s)
{
	CRASHED_BY(s, writes_nowhere, SIGSEGV);
	CRASHED_BY(s, calls_nowhere, SIGSEGV);
	CRASHED_BY(s, aborts, SIGABRT);
	CRASHED_BY(s, asserts, SIGABRT);
	CRASHED_BY(s, traps, SIGILL);
	CRASHED_BY(s, reads_past_file, SIGBUS);
	CRASHED_BY(s, overflows, SIGSEGV);
	CRASHED_BY(s, crashes_in_thread, SIGABRT);
	site_well(s);
}
CASE(faults, EVERYWHERE, .stack_size = 1 << 20)

/* A SIGKILL that Brood did not send: by itself, by anybody. */
static void killed_from_outside(struct site *s)
{
	struct given *g = RUN(s, job_raises, .number = SIGKILL);

	expect(g, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(g->v.signal, SIGKILL);
	for (int i = 0; i < 3; i++) {
		pid_t pid;

		g = GIVE(s, job_stores_pid);
		pid = stage_pid(s);
		CHECK_EQ(kill(pid, i == 2 ? SIGUSR1 : SIGKILL), 0);
		expect(g, BROOD_CRASHED, i == 2 ? BROOD_DETAIL_NONE : BROOD_DETAIL_OUTSIDE);
		CHECK_EQ(g->v.signal, i == 2 ? SIGUSR1 : SIGKILL);
		CHECK_EQ(g->v.pid, pid);
		CHECK(g->v.started);
	}
	site_well(s);
}
CASE(killed_from_outside, EVERYWHERE)

/* ---- exits ---- */

static int exits(struct brood_job *job) { exit((int)said(job)->number); }
static int exits_raw(struct brood_job *job) { _exit((int)said(job)->number); }
static int exits_all_threads(struct brood_job *job) { return (int)syscall(SYS_exit_group, (int)said(job)->number); }
static int becomes_another(struct brood_job *job)
{
	(void)job;
	execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
	return 1;
}

static void exited(struct site *s)
{
	static const struct { brood_fn *fn; const char *name; int code; } list[] = {
		{ exits, "exits", 0 }, { exits, "exits", 3 }, { exits_raw, "exits_raw", 0 }, { exits_raw, "exits_raw", 9 }, { exits_raw, "exits_raw", 74 },
		{ exits_all_threads, "exits_all_threads", 255 }, { becomes_another, "becomes_another", 6 }, { exits_in_thread, "exits_in_thread", 5 },
	};

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct given *g = finish(give(s, &(struct what){ .fn = list[i].fn, .name = list[i].name, .number = list[i].code }));

		expect(g, BROOD_EXITED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, list[i].code);
		CHECK_EQ(g->v.signal, 0);
		CHECK(g->v.started);
	}
	site_well(s);
}
CASE(exited, EVERYWHERE)

/* ---- out of the frame ---- */

/* Before the start, as in a program whose main() has a setjmp(). A jump that came through would end in a frame that is gone. */
static jmp_buf far;
static void __attribute__((constructor)) set_far(void)
{
	if (setjmp(far) != 0)
		_exit(96);
}
static int jumps(struct brood_job *job) { (void)job; longjmp(far, 1); }
static int jumps_within(struct brood_job *job)
{
	jmp_buf near;

	if (setjmp(near) == 0)
		longjmp(near, 1);
	return (int)said(job)->number;
}
static int leaves_thread(struct brood_job *job) { (void)job; pthread_exit(NULL); }

/* The frames of the job itself are unwound on the way, as C says. */
static void noticed(void *stage) { atomic_fetch_add(&((struct stage *)stage)->left, 1); }
static int __attribute__((noinline)) unwound(struct stage *stage)
{
	pthread_cleanup_push(noticed, stage);
	pthread_exit(NULL);
	pthread_cleanup_pop(0);
	return 0;
}
static int leaves_with_handlers(struct brood_job *job) { return unwound(said(job)->stage); }
static int cancels_itself(struct brood_job *job)
{
	(void)job;
	pthread_cancel(pthread_self());
	pthread_testcancel();
	return 0;
}

static void frames(struct site *s)
{
	struct given *g;

	expect(RUN(s, jumps), BROOD_CRASHED, BROOD_DETAIL_LONGJMP);
	expect(RUN(s, leaves_thread), BROOD_CRASHED, BROOD_DETAIL_THREAD_EXIT);
	expect(RUN(s, leaves_with_handlers), BROOD_CRASHED, BROOD_DETAIL_THREAD_EXIT);
	CHECK_EQ(atomic_load(&s->stage->left), 1);
	expect(RUN(s, cancels_itself), BROOD_CRASHED, BROOD_DETAIL_THREAD_EXIT);
	g = RUN(s, jumps_within, .number = 11);
	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 11);
	CHECK(g->v.started);
	site_well(s);
}

CASE(frames, EVERYWHERE)

/* ---- children ---- */

/* The child comes back from fn: it ends there, and speaks for nobody. */
static int both_return(struct brood_job *job)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		return 77;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	return WIFEXITED(status) ? (int)said(job)->number : 2;
}
/* The same, and it speaks before. */
static int both_reply(struct brood_job *job)
{
	pid_t child = fork();

	if (child == 0) {
		brood_job_log(job, BROOD_INFO, "from a child");
		_exit(0);
	}
	return waitpid(child, NULL, 0) != child || brood_job_reply(job, "once", 4) != 4;
}
static int child_jumps(struct brood_job *job)
{
	pid_t child = fork();

	if (child == 0)
		longjmp(far, 1);
	(void)job;
	return waitpid(child, NULL, 0) != child;
}

static void forked(struct site *s)
{
	struct given *g = RUN(s, both_return, .number = 21);

	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 21);
	CHECK_EQ(g->v.left, 0);
	g = RUN(s, both_reply);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->reply_size, 4);
	CHECK_MEM(g->reply, "once", 4);
	expect(RUN(s, child_jumps), BROOD_DONE, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(forked, EVERYWHERE)

/* ---- a reply, and then the end ---- */

static int replies_and_dies(struct brood_job *job)
{
	if (brood_job_reply(job, "half of it", 10) != 10)
		return 1;
	return raise((int)said(job)->number);
}
static int replies_and_exits(struct brood_job *job)
{
	if (brood_job_write(job, "half", 4) != 4 || brood_job_write(job, " of it", 6) != 6)
		return 1;
	_exit(8);
}

/* What the job had written is the caller's, whatever came then. */
static void expect_half(struct given *g, enum brood_outcome outcome, enum brood_detail detail)
{
	expect(g, outcome, detail);
	CHECK_EQ(g->reply_size, 10);
	CHECK_MEM(g->reply, "half of it", 10);
}
static void died_after_reply(struct site *s)
{
	expect_half(RUN(s, replies_and_dies, .number = SIGSEGV), BROOD_CRASHED, BROOD_DETAIL_NONE);
	expect_half(RUN(s, replies_and_dies, .number = SIGKILL), BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	expect_half(RUN(s, replies_and_exits), BROOD_EXITED, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(died_after_reply, EVERYWHERE)

/* ---- who it was ---- */

static int says_who(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;

	atomic_store(&stage->values[0], (unsigned long long)getpid());
	atomic_store(&stage->values[1], brood_job_id(job));
	atomic_store(&stage->values[2], brood_job_attempt(job));
	atomic_store(&stage->values[3], brood_job_time_left_ms(job));
	return 0;
}

static void who_it_was(struct site *s)
{
	struct given *g;

	for (int i = 0; i < 20; i++) {
		g = RUN(s, says_who, .options.run_ms = 500000);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.pid, atomic_load(&s->stage->values[0]));
		if (g->v.path == BROOD_PATH_LEASE)     /* a submit that is handed off has another on its way */
			CHECK_EQ(g->v.id, atomic_load(&s->stage->values[1]));
		CHECK_EQ(atomic_load(&s->stage->values[2]), 1);
		CHECK_EQ(g->v.attempts, 1);
		CHECK_LE(atomic_load(&s->stage->values[3]), 500000);
		CHECK_GT(atomic_load(&s->stage->values[3]), 300000);
	}
}
CASE(who_it_was, EVERYWHERE)

/* The next process of the same place is the next generation; the others stay what they are. */
static void generations(struct site *s)
{
	uint32_t slot = 0, generation = 0;
	pid_t pid = 0;

	for (int i = 0; i < 5; i++) {
		struct given *g = RUN(s, says_who);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		if (i > 0) {
			CHECK_EQ(g->v.slot, slot);
			CHECK_EQ(g->v.generation, generation + 1);
			CHECK_NE(g->v.pid, pid);
		}
		slot = g->v.slot;
		generation = g->v.generation;
		pid = g->v.pid;
		g = RUN(s, job_raises, .number = SIGSEGV);
		expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.slot, slot);
		CHECK_EQ(g->v.generation, generation);
		CHECK_EQ(g->v.pid, pid);
	}
}
CASE(generations, EVERYWHERE | ALONE, .workers = 1)

static int sleeps(struct brood_job *job)
{
	usleep((useconds_t)said(job)->number * 1000);
	return 0;
}

/* Times: a job that waits for another says that it waited, not that it ran. */
static void times(struct site *s)
{
	struct given *first, *second;

	first = RUN(s, sleeps, .number = 30);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GE(first->v.run_us, 30000);
	first = GIVE(s, job_gated);
	CHECK(stage_entered(s, 1));
	second = GIVE(s, sleeps, .number = 10);
	given_id(second);
	usleep(60000);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	expect(second, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GE(second->v.queue_us, 50000);
	CHECK_GE(second->v.run_us, 10000);
	CHECK_GE(first->v.run_us, 50000);
}
CASE(times, EVERYWHERE | ALONE, .workers = 1)

/* Closes all that it has, the worker's own files too: that costs nobody else anything, and there is one verdict, whatever it is. */
static int closes_everything(struct brood_job *job)
{
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	return (int)said(job)->number;
}

static void all_closed(struct site *s)
{
	for (int i = 0; i < 3; i++) {
		struct given *g = finish(GIVE(s, closes_everything, .number = i));

		expect(g, g->v.outcome, g->v.detail);
		CHECK(g->v.started);
		CHECK_NE(g->v.outcome, BROOD_LOST);
		site_well(s);
	}
}
CASE(all_closed, EVERYWHERE)
