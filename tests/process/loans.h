/* SPDX-License-Identifier: MIT */
/* loans.h - what the tests of request buffers share. Call all of this in the body of a case. */
#ifndef BROOD_TESTS_LOANS_H
#define BROOD_TESTS_LOANS_H

#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE ((size_t)1 << 20)

static struct brood *brood;
static struct {
	atomic_int pid;
	atomic_ullong at; /* the address of the request in the worker */
	char breach[128]; /* the first */
	int breaches;
} * shared;

static inline void shared_new(void)
{
	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static inline void begin(const struct brood_options *options)
{
	shared_new();
	brood = pool_start(options);
}

static inline struct brood_request *loan_new(size_t size, unsigned char **ret_memory)
{
	struct brood_request *loan;

	CHECK_EQ(brood_request_new(brood, size, &loan), 0);
	*ret_memory = brood_request_memory(loan, NULL);
	return loan;
}

static inline struct brood_job_options on_lease(struct brood_request *loan)
{
	return (struct brood_job_options){ .size = sizeof(struct brood_job_options),
		.dispatch = BROOD_PATH_LEASE,
		.request = loan };
}

/* Returns the first byte of the request. */
static inline int first_byte(struct brood_job *job)
{
	size_t size;
	const unsigned char *request = brood_job_request(job, &size);

	return request && size > 0 ? request[0] : -1;
}

static inline void call_says(struct brood_request *loan, unsigned char *at, size_t size, int code)
{
	struct brood_job_options options = on_lease(loan);
	struct brood_verdict v;

	CHECK_MSG(brood_call(brood, first_byte, at, size, NULL, 0, &options, &v) >= 0, "%s",
		brood_error());
	CHECK_EQ(v.path, BROOD_PATH_LEASE);
	CHECK_EQ(v.code, code);
}

#endif
