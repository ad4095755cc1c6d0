/* SPDX-License-Identifier: MIT */
/*
 * station.c - the station's side. It opens the measured thing and finds how many jobs fill a block.
 * Then it runs one block for each byte of command, until the commands end. With a pool, open()
 * returns in the engine, which is another process than the caller; the engine has inherited the
 * pipes.
 */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOBS_MAX (1u << 28)

static struct station_config own;
static struct station_answer answer;

static void send_answer(int state)
{
	answer.state = state;
	while (write(own.answer_fd, &answer, sizeof answer) < 0 && errno == EINTR)
		;
}

static void close_kind(void)
{
	if (own.stand->kind->close)
		own.stand->kind->close();
}

static void give_up(int state, const char *format, va_list args)
	__attribute__((noreturn, format(printf, 2, 0)));
static void give_up(int state, const char *format, va_list args)
{
	vsnprintf(answer.note, sizeof answer.note, format, args);
	close_kind();
	send_answer(state);
	_exit(1);
}

void station_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	give_up(STATION_FAILED, format, args);
}

void station_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	give_up(STATION_SKIPPED, format, args);
}

void station_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(answer.note, sizeof answer.note, format, args);
	va_end(args);
}

void station_need(bool holds, const char *what)
{
	if (!holds)
		station_fail("%s: %s", what, strerror(errno));
}

pid_t station_partner(void (*run)(void *context), void *context)
{
	pid_t parent = getpid(), pid = fork();

	station_need(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		run(context);
	_exit(0);
}

static void pin(void)
{
	cpu_set_t set;

	if (own.mode != PINNED)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)own.settings->cpu, &set);
	station_need(!sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

/* ---- CPU time of our own processes, without others on the same CPU ---- */

static uint64_t own_ns(void)
{
	struct timespec t;
	struct rusage children;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	getrusage(RUSAGE_CHILDREN, &children);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec +
		(uint64_t)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1000000000u +
		(uint64_t)(children.ru_utime.tv_usec + children.ru_stime.tv_usec) * 1000u;
}

static bool counts_cpu_time(void)
{
	return own.settings->cpu_time && own.mode == PINNED && !own.stand->params.fixed;
}

/*
 * Runs a block. Returns its time, or the CPU time of this process and of those that work with it.
 */
static uint64_t block(uint32_t jobs, double *values)
{
	static struct tree tree;
	struct tree_use others = { .ended = 1 };
	uint64_t began, passed, ours = 0;

	if (counts_cpu_time()) {
		if (tree.count)
			others = tree_use(&tree);
		if (others.ended) {
			tree_find(&tree, brood_role() == BROOD_ROLE_ENGINE ? getppid() : getpid());
			others = tree_use(&tree);
		}
		ours = own_ns();
	}
	began = now_ns();
	own.stand->kind->block(&own.stand->params, jobs, values);
	passed = now_ns() - began;
	if (!counts_cpu_time())
		return passed;
	ours = own_ns() - ours; /* before the time of the others, because reading it is work, too */
	ours += tree_use(&tree).ns - others.ns;
	for (uint32_t v = 0; v < VALUES_MAX; v++)
		values[v] *= (double)ours / (double)passed;
	return ours;
}

/*
 * Returns the shorter of two blocks if the first one was long. The first may have been a warm-up
 * that happens once, for example when threads find their workers.
 */
static uint64_t block_of_warm(uint32_t jobs, uint64_t long_ns)
{
	double values[VALUES_MAX];
	uint64_t took = block(jobs, values), again;

	if (took < long_ns)
		return took;
	again = block(jobs, values);
	return again < took ? again : took;
}

/* Finds how many jobs take block_ms by trying more and more jobs. This warms up as well. */
static uint32_t jobs_of_a_block(void)
{
	const struct params *p = &own.stand->params;
	uint64_t wanted = (uint64_t)own.settings->block_ms *
		(p->blocks && !own.settings->quick ? p->blocks : 1) * 1000000u;
	uint32_t jobs = 1;

	if (p->fixed)
		return p->fixed;
	for (;;) {
		uint64_t took = block_of_warm(jobs, wanted / 4);

		if (took >= wanted / 4 || jobs >= JOBS_MAX / 4) {
			double fit = (double)jobs * (double)wanted / (double)(took ? took : 1);

			return fit < 1 ? 1 : fit > JOBS_MAX ? JOBS_MAX : (uint32_t)fit;
		}
		jobs *= 4;
	}
}

void station_run(const struct station_config *config)
{
	const struct params *p = &config->stand->params;
	double values[VALUES_MAX];
	char command;

	own = *config;
	pin();
	own.stand->kind->open(p);
	answer.jobs = jobs_of_a_block();
	send_answer(STATION_READY);
	for (;;) {
		ssize_t n = read(own.command_fd, &command, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1) {
			close_kind();
			_exit(0);
		}
		if (!p->fixed)
			own.stand->kind->block(p, answer.jobs / 4 ? answer.jobs / 4 : 1, values);
		block(answer.jobs, answer.values);
		send_answer(STATION_BLOCK);
	}
}
