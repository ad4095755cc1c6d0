/* SPDX-License-Identifier: MIT */
/*
 * jobs.c - the jobs: a good one, and every bad one that a pool must survive.
 *
 * Only jobs_worker_init() touches the tally. It notes the birth and then unmaps the tally, so that
 * no job can write into the judge's memory.
 */
#include "load.h"
#include "log.h"
#include "plant.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LEAK_STEP (1u << 20)
/* more means that the memory limit did not hold: end before the machine does */
#define LEAK_MAX  (1u << 30)
#define CHUNK     65536
#define PAGE      4096
#define SPIN_STEP 200

static struct tally *jobs_tally;
static jmp_buf jobs_frame;
static char *volatile jobs_nowhere; /* volatile: the compiler must not know that this is NULL */
static volatile unsigned long jobs_spun;
static void *volatile jobs_leaked;
static char jobs_marker[40]; /* in the environment of each program that a job starts */

/* Set in a child that was forked for one job (--compare); there `job` is NULL. */
static const struct forked_job *jobs_forked;

/* An argument that is not whole counts as all zeros. */
static struct job_arg arg_of(const struct brood_job *job)
{
	size_t size = sizeof(struct job_arg);
	const void *data = jobs_forked ? jobs_forked->arg : brood_job_arg(job, &size);
	struct job_arg arg = { 0 };

	if (size == sizeof arg)
		memcpy(&arg, data, sizeof arg);
	return arg;
}

static uint32_t variant(const struct brood_job *job) { return arg_of(job).variant; }

static int job_nop(struct brood_job *job)
{
	(void)job;
	return 0;
}

static int job_echo(struct brood_job *job)
{
	static char chunk[CHUNK];
	struct job_arg arg;
	size_t arg_size = 0;
	const void *data = brood_job_arg(job, &arg_size);
	uint64_t sum = 0, size = 0;
	ssize_t n;

	if (arg_size != sizeof arg)
		return CODE_BAD_REQUEST;
	memcpy(&arg, data, sizeof arg);
	while ((n = brood_job_read(job, chunk, sizeof chunk)) > 0) {
		sum = payload_checksum(sum, chunk, (size_t)n);
		size += (uint64_t)n;
		if (brood_job_write(job, chunk, (size_t)n) != n)
			return CODE_BAD_REQUEST;
	}
	return n == 0 && size == arg.size && sum == arg.checksum ? 0 : CODE_BAD_REQUEST;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0)
			return CODE_BAD_REQUEST;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int job_echo_whole(struct brood_job *job)
{
	size_t size;
	const void *request;

	if (jobs_forked)
		return write_all(jobs_forked->fd, jobs_forked->request, jobs_forked->request_size);
	request = brood_job_request(job, &size);
	return request && brood_job_reply(job, request, size) == (ssize_t)size ? 0
									       : CODE_BAD_REQUEST;
}

/* A sanitizer would report the NULL, or end the worker in a way of its own. */
__attribute__((no_sanitize("null"))) static int job_crash(struct brood_job *job)
{
	(void)job;
	*jobs_nowhere = 1;
	return CODE_RETURNED;
}

static int job_exit(struct brood_job *job)
{
	if (variant(job) & 1)
		_exit(CODE_EXIT);
	exit(CODE_EXIT);
}

static int job_fail(struct brood_job *job)
{
	(void)job;
	return CODE_FAIL;
}

static int job_hang(struct brood_job *job)
{
	(void)job;
	while (!jobs_nowhere)
		pause();
	return CODE_RETURNED;
}

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_S), .tv_nsec = (long)(ns % NS_S) };
}

static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_S + (uint64_t)ts.tv_nsec;
}

/* Without a value it never ends. Else it ends after so much CPU time, however long that takes. */
static int job_spin(struct brood_job *job)
{
	uint64_t value = arg_of(job).value, end = value ? cpu_now() + value : 0;

	while (!value && !jobs_nowhere)
		jobs_spun++;
	if (!value)
		return CODE_RETURNED;
	do {
		/* A clock of CPU time costs a system call, so it is not asked all the time. */
		for (unsigned i = 0; i < SPIN_STEP; i++)
			jobs_spun++;
	} while (cpu_now() < end);
	return 0;
}

static int job_sleep(struct brood_job *job)
{
	const struct timespec end = time_of(load_now() + arg_of(job).value);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
	return 0;
}

/* Touches each page, and gives the memory back. */
static int job_alloc(struct brood_job *job)
{
	uint64_t value = arg_of(job).value;
	char *memory = malloc((size_t)value);

	if (!memory)
		return CODE_NO_MEMORY;
	for (uint64_t at = 0; at < value; at += PAGE)
		*(volatile char *)(memory + at) = 1;
	free(memory);
	return 0;
}

static int job_syscalls(struct brood_job *job)
{
	uint64_t value = arg_of(job).value;

	for (uint64_t i = 0; i < value; i++) {
		if (syscall(SYS_getppid) < 0)
			return CODE_RETURNED;
	}
	return 0;
}

static int job_leak(struct brood_job *job)
{
	(void)job;
	for (size_t got = 0; got < LEAK_MAX; got += LEAK_STEP) {
		char *more = malloc(LEAK_STEP);

		if (!more)
			return CODE_NO_MEMORY;
		memset(more, 1, LEAK_STEP);
		jobs_leaked = more;
	}
	return CODE_NO_LIMIT;
}

static int job_throw(struct brood_job *job)
{
	if (variant(job) & 1)
		pthread_exit(NULL);
	longjmp(jobs_frame, 1);
}

/*
 * Leaves one process behind, by variant: it only sleeps, or it also ignores SIGTERM, or a shell
 * started it in the background.
 */
static int job_fork(struct brood_job *job)
{
	static char sh[] = "sh", flag[] = "-c", script[] = "sleep 99 &";
	char *const argv[] = { sh, flag, script, NULL },
		    *const environment[] = { jobs_marker, NULL };
	uint32_t how = variant(job) % 3;
	pid_t pid;

	if (how == 2)
		return posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environment) ? CODE_RETURNED
										   : 0;
	pid = fork();
	if (pid < 0)
		return CODE_RETURNED;
	if (pid > 0)
		return 0;
	if (how == 1)
		signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

#define WORK(function)                                \
	{                                             \
		function, #function, sizeof #function \
	}
static struct work works[KINDS] = {
	[KIND_NOP] = WORK(job_nop),
	[KIND_ECHO] = WORK(job_echo),
	[KIND_CRASH] = WORK(job_crash),
	[KIND_EXIT] = WORK(job_exit),
	[KIND_FAIL] = WORK(job_fail),
	[KIND_HANG] = WORK(job_hang),
	[KIND_SPIN] = WORK(job_spin),
	[KIND_LEAK] = WORK(job_leak),
	[KIND_THROW] = WORK(job_throw),
	[KIND_FORK] = WORK(job_fork),
	[KIND_SLEEP] = WORK(job_sleep),
	[KIND_ALLOC] = WORK(job_alloc),
	[KIND_SYSCALLS] = WORK(job_syscalls),
};
static const struct work work_whole = WORK(job_echo_whole);

const struct work *job_work(enum kind kind, bool whole)
{
	return whole && kind == KIND_ECHO ? &work_whole : &works[kind];
}

void jobs_set_user(const struct work *work) { works[KIND_USER] = *work; }

int jobs_run_forked(const struct work *work, const struct forked_job *job)
{
	jobs_forked = job;
	return work->fn(NULL);
}

int jobs_in_frame(int (*body)(void *context), void *context)
{
	if (setjmp(jobs_frame))
		_exit(CODE_OUT_OF_FRAME);
	return body(context);
}

void jobs_prepare(struct tally *tally)
{
	jobs_tally = tally;
	snprintf(jobs_marker, sizeof jobs_marker, "BROOD_LOAD=%s", tally->marker);
}

int jobs_worker_init(void *hook_context)
{
	struct tally *t = jobs_tally;
	uint32_t birth = atomic_fetch_add(&t->births, 1);

	(void)hook_context;
	plant_worker_init(t, birth);
	atomic_store(&t->born[birth % BIRTHS_MAX], BORN(getpid(), load_now() / NS_MS));
	futex_wake(&t->births);
	munmap(t, t->size);
	log_forget();
	return 0;
}
