/* SPDX-License-Identifier: MIT */
/* conformance_limits.c - what a worker may use: memory, stack, files; on every path. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* ---- what a job left ---- */

/* A pinned lease ends with a worker that is replaced. */
static void lease_is_over(struct site *s)
{
	if (!site_is(s, PINNED))
		return;
	CHECK(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 &&
			brood_lease_worker(s->lease, NULL, NULL, NULL) == -ESTALE,
		20000));
}

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
	exit(4);
}
static int wants_too_much(struct brood_job *job)
{
	void *volatile p = malloc(200u << 20);

	(void)job;
	return p ? 0 : 3;
}
static int wants_too_much_and_crashes(struct brood_job *job)
{
	volatile char *volatile p = malloc(200u << 20);

	(void)job;
	p[0] = 1;
	return 0;
}
static int wants_too_much_and_aborts(struct brood_job *job)
{
	if (wants_too_much(job))
		abort();
	return 0;
}
/* The job takes memory in small pieces, and the last call still had some. */
static int leaks_nearly_all(struct brood_job *job)
{
	(void)job;
	for (int i = 0; i < 30 << 6; i++)
		if (!malloc(16 << 10))
			return 1;
	errno = 0;
	return 4;
}
static int touch(const char *p, size_t size)
{
	int sum = 0;

	for (size_t i = 0; i < size; i += 4096)
		sum += p[i];
	return sum ? 3 : 4;
}
/* A file that the job reads, and what the library mapped, are not the job's memory. */
static int reads_file(struct brood_job *job)
{
	const size_t size = 100 << 20;
	int fd = memfd_create("file", MFD_CLOEXEC);
	char *p;

	(void)job;
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return 5;
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? 5 : touch(p, size);
}
static int reads_request(struct brood_job *job)
{
	size_t size;
	const char *p = brood_job_request(job, &size);

	return p ? touch(p, size) : 5;
}
static int replies_much(struct brood_job *job)
{
	static const char piece[64 << 10];

	for (int i = 0; i < 800; i++)
		if (brood_job_write(job, piece, sizeof piece) < 0)
			return 5;
	return 4;
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
	g = RUN(s, wants_too_much_and_crashes);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_MEMORY);
	CHECK_EQ(g->v.signal, SIGSEGV);
	g = RUN(s, wants_too_much_and_aborts);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_MEMORY);
	CHECK_EQ(g->v.signal, SIGABRT);
	g = RUN(s, leaks_nearly_all);
	expect(g, BROOD_FAILED, BROOD_DETAIL_MEMORY);
	CHECK_EQ(g->v.code, 4);
	CHECK_EQ(g->v.left, BROOD_LEFT_MEMORY);
	lease_is_over(s);
	g = RUN(s, job_raises, .number = SIGSEGV);
	/* and the verdict of a job that wanted no memory says nothing of it */
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	site_well(s);
}

/* The limit refused memory, and nothing of it is left; or it was not the job's memory. */
static void not_memory(struct site *s)
{
	const size_t size = 48 << 20;
	char *request = malloc(size);
	pid_t worker;

	CHECK(request);
	memset(request, 1, size);
	worker = RUN(s, job_code)->v.pid;
	for (int i = 0; i < 5; i++) {
		struct given *g = i == 0 ? RUN(s, uses_much, .number = 20)
			: i == 1         ? RUN(s, wants_too_much)
			: i == 2         ? RUN(s, reads_file)
			: i == 3         ? RUN(s, replies_much, .room = 64 << 20)
					 : NULL;

		if (i == 4 && !site_is(s, BYTES))
			break;
		if (i == 4)
			g = RUN(s, reads_request, .request = request, .size = size);
		CHECK_MSG(g->v.outcome == (i == 0 ? BROOD_DONE : BROOD_FAILED) &&
				g->v.detail == (i == 1 ? BROOD_DETAIL_MEMORY : BROOD_DETAIL_NONE) &&
				g->v.code != 5 && g->v.left == 0,
			"job %d: outcome %d, detail %d, code %d, left %x", i, g->v.outcome,
			g->v.detail, g->v.code, g->v.left);
		CHECK_MSG(g->v.pid == worker, "job %d", i);
	}
	free(request);
	site_well(s);
}
/* A sanitizer's allocator does not keep to limits. */
#ifndef __SANITIZE_ADDRESS__
CASE(memory, EVERYWHERE | ALONE, .workers = 1, .worker_memory = 32 << 20)
CASE(not_memory, EVERYWHERE | ALONE, .workers = 1, .worker_memory = 32 << 20)
#else
static void __attribute__((unused)) (*const unused_not_memory)(struct site *s) = not_memory;
static void __attribute__((unused)) (*const unused_memory)(struct site *s) = memory;
#endif

static int uses_stack(struct brood_job *job)
{
	volatile char space[16384];

	for (size_t i = 0; i < sizeof space; i += 512)
		space[i] = (char)said(job)->number;
	return space[512];
}

static void stack(struct site *s)
{
	struct given *g = RUN(s, uses_stack, .number = 5);

	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 5);
	g = RUN(s, job_overflows);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, SIGSEGV);
	expect(RUN(s, job_code), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(stack, EVERYWHERE, .stack_size = 65536)

/*
 * A worker that has no room for files is the fault of an earlier job, and not of the next one. Not
 * on a pinned lease, which has no other worker.
 */
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
