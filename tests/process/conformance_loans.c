/* SPDX-License-Identifier: MIT */
/*
 * conformance_loans.c - requests that lie in a buffer of brood_request_new(). The job reads the
 * bytes of this very request, on each transport: the buffer is used again and again, by jobs that
 * overlap, by second attempts, and after the program has freed it.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define KIB  ((size_t)1 << 10)
#define MIB  ((size_t)1 << 20)
#define SIZE (2 * MIB + 123)

static struct brood_request *loan_new(struct site *s, size_t size, unsigned char **ret_memory)
{
	struct brood_request *loan;
	size_t told;

	CHECK_EQ(brood_request_new(s->brood, size, &loan), 0);
	*ret_memory = brood_request_memory(loan, &told);
	CHECK(*ret_memory);
	CHECK_EQ(told, size);
	CHECK_EQ((uintptr_t)*ret_memory % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	CHECK_EQ(brood_request_out(loan), 0);
	return loan;
}

static void fill(unsigned char *at, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)(((uint32_t)i * 2654435761u + seed * 40503u) >> 9);
}

static uint32_t sum(const unsigned char *at, size_t size)
{
	uint32_t sum = 17;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + at[i];
	return sum;
}

static int sums(struct brood_job *job)
{
	size_t size;
	const unsigned char *request = brood_job_request(job, &size);
	uint32_t is;

	if (!request || size != brood_job_request_size(job))
		return 1;
	is = sum(request, size);
	return brood_job_reply(job, &is, sizeof is) == (ssize_t)sizeof is ? 0 : 2;
}

/* Does the same with brood_job_read(), in pieces. */
static int sums_pieces(struct brood_job *job)
{
	static unsigned char piece[10007];
	uint32_t is = 17;
	ssize_t n;

	while ((n = brood_job_read(job, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n; i++)
			is = is * 31 + piece[i];
	return n == 0 && brood_job_reply(job, &is, sizeof is) == (ssize_t)sizeof is ? 0 : 2;
}

static void summed(struct given *g, const unsigned char *at, size_t size)
{
	uint32_t is = sum(at, size);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.reply_size, sizeof is);
	CHECK_MEM(g->reply, &is, sizeof is);
}

/* Each time the program writes another request to the same memory, of another size. */
static void in_place(struct site *s)
{
	static const struct {
		size_t at, size;
	} parts[] = { { 0, 1 }, { 0, SIZE }, { 4097, 1000 }, { 1, 70000 }, { 5, 0 },
		{ SIZE - 1, 1 }, { SIZE, 0 }, { MIB, MIB + 123 } };
	unsigned char *memory;
	struct brood_request *loan = loan_new(s, SIZE, &memory);

	for (uint32_t i = 0; i < 2 * sizeof parts / sizeof parts[0]; i++) {
		size_t at = parts[i / 2].at, size = parts[i / 2].size;

		fill(memory, SIZE, i + 1000 * s->number);
		if (i % 2)
			summed(RUN(s, sums, .request = memory + at, .size = size,
				       .options.request = loan),
				memory + at, size);
		else
			summed(RUN(s, sums_pieces, .request = memory + at, .size = size,
				       .options.request = loan),
				memory + at, size);
		CHECK_EQ(brood_request_out(loan), 0);
	}
	CHECK(!brood_request_free(loan));
	site_well(s);
}
CASE(in_place, BYTES)

/* Several jobs have parts of the same buffer at once. */
static void parts(struct site *s)
{
	enum { JOBS = 12 };
	unsigned char *memory;
	struct brood_request *loan = loan_new(s, JOBS * 100 * KIB, &memory);
	struct given *g[JOBS];

	fill(memory, JOBS * 100 * KIB, s->number);
	for (int i = 0; i < JOBS; i++)
		g[i] = GIVE(s, sums, .request = memory + (size_t)i * 100 * KIB, .size = 100 * KIB,
			.options.request = loan);
	for (int i = 0; i < JOBS; i++)
		summed(finish(g[i]), memory + (size_t)i * 100 * KIB, 100 * KIB);
	CHECK_EQ(brood_request_out(loan), 0);
	brood_request_free(loan);
}
CASE(parts, BYTES)

/* More buffers than a worker keeps mapped, each several times, and freed while others live. */
static void many(struct site *s)
{
	enum { LOANS = 20, ROUNDS = 3 };
	struct brood_request *loans[LOANS] = { 0 };
	unsigned char *memory[LOANS];

	for (uint32_t i = 0; i < LOANS * ROUNDS; i++) {
		uint32_t at = i * 7 % LOANS;

		if (i % 3 == 0)
			loans[at] = brood_request_free(loans[at]);
		if (!loans[at])
			loans[at] = loan_new(s, 10000, &memory[at]);
		fill(memory[at], 10000, i);
		summed(RUN(s, sums, .request = memory[at], .size = 10000,
			       .options.request = loans[at]),
			memory[at], 10000);
	}
	for (int i = 0; i < LOANS; i++)
		brood_request_free(loans[i]);
}
CASE(many, BYTES)

static int gated_sums(struct brood_job *job)
{
	int code = job_gated(job);

	return code ? code : sums(job);
}

/* The program frees the buffer while a job has it. */
static void freed(struct site *s)
{
	unsigned char *memory, *copy = malloc(SIZE);
	struct brood_request *loan = loan_new(s, SIZE, &memory);
	struct given *g;

	CHECK(copy);
	fill(memory, SIZE, 77);
	memcpy(copy, memory, SIZE);
	g = GIVE(s, gated_sums, .request = memory, .size = SIZE, .options.request = loan);
	CHECK(stage_entered(s, 1));
	if (!site_is(s, HANDOFF))
		CHECK_EQ(brood_request_out(loan), 1);
	brood_request_free(loan);
	stage_open(s);
	summed(finish(g), copy, SIZE);
	free(copy);
	site_well(s);
}
/* A call by handoff still sends the request when the buffer goes. */
CASE(freed, (BYTES & ~WAY(HANDOFF_CALL)) | ALONE)

static int dies_once(struct brood_job *job)
{
	const unsigned char *request = brood_job_request(job, NULL);

	if (!request || (brood_job_attempt(job) == 1 && raise(SIGKILL)))
		return 1;
	return sums(job);
}

static void attempts(struct site *s)
{
	unsigned char *memory;
	struct brood_request *loan = loan_new(s, SIZE, &memory);

	for (uint32_t i = 0; i < 3; i++) {
		struct given *g;

		fill(memory, SIZE, i);
		g = RUN(s, dies_once, .request = memory, .size = SIZE, .options.request = loan,
			.options.retries = 1);
		CHECK_EQ(g->v.outcome, BROOD_DONE);
		CHECK_EQ(g->v.attempts, 2);
		CHECK_EQ(g->v.reply_size, sizeof(uint32_t));
		CHECK_EQ(*(const uint32_t *)(const void *)g->reply, sum(memory, SIZE));
	}
	brood_request_free(loan);
	site_well(s);
}
/* A pinned lease has no other worker. */
CASE(attempts, (BYTES & ~PINNED) | ALONE)

/* Replies what the extra fd has, and the sum of the request. */
static int with_extra(struct brood_job *job)
{
	char text[4];

	return brood_job_extra_fds(job) == 1 &&
			pread(brood_job_extra_fd(job, 0), text, 4, 0) == 4 &&
			memcmp(text, "\177ELF", 4) == 0
		? sums(job)
		: 3;
}

static void extras(struct site *s)
{
	unsigned char *memory;
	struct brood_request *loan = loan_new(s, 300 * KIB, &memory);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CHECK_GE(fd, 0);
	for (uint32_t i = 0; i < 6; i++) {
		fill(memory, 300 * KIB, i);
		if (i % 3 != 2)
			summed(RUN(s, with_extra, .request = memory + i, .size = 300 * KIB - i,
				       .options.request = loan, .options.fds = &fd,
				       .options.fds_count = 1),
				memory + i, 300 * KIB - i);
		else
			summed(RUN(s, sums, .request = memory, .size = 300 * KIB,
				       .options.request = loan),
				memory, 300 * KIB);
	}
	close(fd);
	brood_request_free(loan);
}
CASE(extras, BYTES)
