/* SPDX-License-Identifier: MIT */
/*
 * conformance_signals.c - signals that a job meets: its own, those of its faults, and those that
 * others send; on every path.
 */
#include "../helpers/conformance.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* ---- signals ---- */

static void signals(struct site *s)
{
	static const int ends[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS,
		SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,
		SIGPWR };
	static const int nothing[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGURG, SIGWINCH,
		SIGCONT };

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
static int writes_nowhere(struct brood_job *job)
{
	(void)job;
	*nowhere = 1;
	return 0;
}
static int calls_nowhere(struct brood_job *job) { return ((brood_fn *)(uintptr_t)nowhere)(job); }
static int aborts(struct brood_job *job)
{
	(void)job;
	abort();
}
static int asserts(struct brood_job *job)
{
	assert(job == NULL);
	return 0;
}
static int traps(struct brood_job *job)
{
	(void)job;
	__builtin_trap();
}
static int reads_past_file(struct brood_job *job)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)job;
	return p[0];
}

static void *thread_crashes(void *arg)
{
	(void)arg;
	abort();
}

static int crashes_in_thread(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	return pthread_create(&thread, NULL, thread_crashes, NULL) || pthread_join(thread, NULL);
}

static void crashed_by(struct site *s, brood_fn *fn, const char *name, int sig)
{
	struct given *g = finish(
		give(s, &(struct what){ .fn = fn, .name = name, .request = "r", .size = 1 }));

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
	CRASHED_BY(s, job_overflows, SIGSEGV);
	CRASHED_BY(s, crashes_in_thread, SIGABRT);
	site_well(s);
}
CASE(faults, EVERYWHERE, .stack_size = 1 << 20)

/* A SIGKILL that Brood did not send: the job's own, or anybody's. */
static void killed_from_outside(struct site *s)
{
	struct given *g = RUN(s, job_raises, .number = SIGKILL);

	expect(g, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(g->v.signal, SIGKILL);
	for (int i = 0; i < 3; i++) {
		pid_t pid;

		g = GIVE(s, job_stores_pid);
		pid = stage_pid(s);
		CHECK_EQ(kill(pid, i == 2 ? SIGXCPU : SIGKILL), 0);
		expect(g, BROOD_CRASHED, i == 2 ? BROOD_DETAIL_NONE : BROOD_DETAIL_OUTSIDE);
		CHECK_EQ(g->v.signal, i == 2 ? SIGXCPU : SIGKILL);
		CHECK_EQ(g->v.pid, pid);
		CHECK(g->v.started);
	}
	site_well(s);
}
CASE(killed_from_outside, EVERYWHERE)

/*
 * A signal to all processes of a service is meant for the engine. It ends no job, and a job's
 * children do not get it from Brood.
 */
static int stores_pid_and_waits(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;
	int status;
	pid_t child;

	atomic_store(&stage->pid, getpid());
	while (!atomic_load(&stage->gate))
		usleep(1000);
	child = fork();
	if (child == 0) {
		raise((int)said(job)->number);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
		WTERMSIG(status) != (int)said(job)->number)
		return 1;
	child = fork();
	if (child == 0) {
		char command[32];

		snprintf(command, sizeof command, "kill -%ld $$", said(job)->number);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(0);
	}
	return child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
		WTERMSIG(status) != (int)said(job)->number;
}

static void sent_to_all(struct site *s)
{
	const int sent[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGALRM, SIGIO, SIGPWR, SIGRTMIN,
		SIGRTMIN + 3, SIGRTMAX - 1 };

	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
		struct given *g;
		pid_t pid;

		atomic_store(&s->stage->gate, 0);
		atomic_store(&s->stage->pid, 0);
		g = GIVE(s, stores_pid_and_waits, .number = sent[i]);
		pid = stage_pid(s);
		CHECK_EQ(kill(pid, sent[i]), 0);
		CHECK_EQ(sigqueue(pid, sent[i], (union sigval){ .sival_int = 1 }), 0);
		stage_open(s);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.pid, pid);
		CHECK_EQ(g->v.left, 0);
	}
	site_well(s);
}
CASE(sent_to_all, EVERYWHERE | ALONE)
