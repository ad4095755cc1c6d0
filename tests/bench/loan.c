/* SPDX-License-Identifier: MIT */
/*
 * loan.c - calls whose request lies in a buffer of brood_request_new(). The job looks at one byte,
 * or at each cache line. The engine writes a byte before each call, so that the job must have seen
 * this very request.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define LINE 64 /* bytes of a cache line */

static struct brood *brood;
static struct brood_request *loan;
static unsigned char *memory;

/* In a worker. */
static int job_one(struct brood_job *job)
{
	size_t size;
	const unsigned char *request = brood_job_request(job, &size);

	return request ? request[size / 2] : -1;
}

static uint64_t sum_of(const unsigned char *at, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i += LINE)
		sum += at[i];
	return sum;
}

static int job_all(struct brood_job *job)
{
	size_t size;
	const unsigned char *request = brood_job_request(job, &size);
	uint64_t sum = request ? sum_of(request, size) : 0;

	return brood_job_reply(job, &sum, sizeof sum) == (ssize_t)sizeof sum ? 0 : 1;
}

static void loan_open(const struct params *p)
{
	brood = pool_start(p, NULL);
	if (brood_request_new(brood, p->bytes, &loan) < 0)
		station_fail("brood_request_new: %s", brood_error());
	memory = brood_request_memory(loan, NULL);
	memset(memory, 1, p->bytes);
}

static void copy_open(const struct params *p)
{
	brood = pool_start(p, NULL);
	memory = malloc(p->bytes);
	station_need(memory, "malloc");
	memset(memory, 1, p->bytes);
}

static void one_block(const struct params *p, uint32_t jobs, double *values)
{
	struct brood_job_options options = { .size = sizeof options, .request = loan };
	unsigned char *middle = memory + p->bytes / 2;
	struct brood_verdict v;
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < jobs; i++) {
		*middle = (unsigned char)(i % 255 + 1);
		if (brood_call(brood, job_one, memory, p->bytes, NULL, 0, &options, &v) != 0 ||
			v.code != *middle)
			station_fail("the job read %d instead of %d", v.code, *middle);
		if (v.path != p->path)
			station_fail("the job came by another path");
	}
	values[0] = us_each(now_ns() - began, jobs);
}

static void all_block(const struct params *p, uint32_t jobs, double *values)
{
	struct brood_job_options options = { .size = sizeof options, .request = loan };
	const uint64_t rest = sum_of(memory + LINE, p->bytes - LINE);
	struct brood_verdict v;
	uint64_t got, began = now_ns();

	for (uint32_t i = 0; i < jobs; i++) {
		*memory = (unsigned char)i;
		if (brood_call(brood, job_all, memory, p->bytes, &got, sizeof got, &options, &v) !=
				(ssize_t)sizeof got ||
			got != rest + *memory)
			station_fail("the job's sum is wrong: %s", brood_error());
		pool_check(&v, v.id, p->path);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

const struct kind bench_loan = { loan_open, one_block, NULL };
const struct kind bench_loan_all = { loan_open, all_block, NULL };
const struct kind bench_loan_copy = { copy_open, one_block, NULL };
