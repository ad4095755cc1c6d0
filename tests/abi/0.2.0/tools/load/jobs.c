/*
 * jobs.c - what workers run: the good job, and every bad one that a pool must live through.
 *
 * Nothing here touches the tally but jobs_worker_init(), which says "born" and then unmaps it: what a job scribbles must
 * not reach the judge.
 */
#include "load.h"
#include "plant.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAK_STEP (1u << 20)
#define LEAK_MAX  (1u << 30)             /* the limit did not hold: end before the machine does */
#define CHUNK     65536

static struct tally *jobs_tally;
static jmp_buf jobs_frame;
static char *volatile jobs_nowhere;      /* volatile: the compiler must not know that it is NULL */
static volatile unsigned long jobs_spun;
static void *volatile jobs_leaked;
static char jobs_marker[40];             /* in the environment of what a job execs */

static const struct forked_job *jobs_forked;     /* in a child that was forked for one job: `job` is NULL then */

static uint32_t variant(const struct brood_job *job)
{
	size_t size = sizeof(struct job_arg);
	const void *data = jobs_forked ? jobs_forked->arg : brood_job_arg(job, &size);
	struct job_arg arg;

	if (size != sizeof arg)
		return 0;
	memcpy(&arg, data, sizeof arg);
	return arg.variant;
}

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
	return request && brood_job_reply(job, request, size) == (ssize_t)size ? 0 : CODE_BAD_REQUEST;
}

/* A sanitizer would tell of it, or end the worker in a way of its own. */
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

static int job_spin(struct brood_job *job)
{
	(void)job;
	while (!jobs_nowhere)
		jobs_spun++;
	return CODE_RETURNED;
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

/* A child that only sleeps, one that ignores SIGTERM too, and one that a shell left in the background. */
static int job_fork(struct brood_job *job)
{
	static char sh[] = "sh", flag[] = "-c", script[] = "sleep 99 &";
	char *const argv[] = { sh, flag, script, NULL }, *const environment[] = { jobs_marker, NULL };
	uint32_t how = variant(job) % 3;
	pid_t pid;

	if (how == 2)
		return posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environment) ? CODE_RETURNED : 0;
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

#define WORK(function) { function, #function, sizeof #function }
static const struct work works[KINDS] = {
	[KIND_NOP] = WORK(job_nop), [KIND_ECHO] = WORK(job_echo), [KIND_CRASH] = WORK(job_crash), [KIND_EXIT] = WORK(job_exit),
	[KIND_FAIL] = WORK(job_fail), [KIND_HANG] = WORK(job_hang), [KIND_SPIN] = WORK(job_spin), [KIND_LEAK] = WORK(job_leak),
	[KIND_THROW] = WORK(job_throw), [KIND_FORK] = WORK(job_fork),
};
static const struct work work_whole = WORK(job_echo_whole);

const struct work *job_work(enum kind kind, bool whole)
{
	return whole && kind == KIND_ECHO ? &work_whole : &works[kind];
}

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
	return 0;
}
