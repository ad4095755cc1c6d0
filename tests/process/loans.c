/* SPDX-License-Identifier: MIT */
/*
 * loans.c - buffers of brood_request_new(): what is wrong with a use is said; nothing of a buffer
 * is left when it is freed; a worker that does not die keeps the memory that it has.
 */
#define _GNU_SOURCE
#include "loans.h"

TestSuite(loans, .timeout = 180);

/* ---- wrong uses ---- */

static void wrong(void)
{
	struct brood_request *loan;
	struct brood_job_options options;
	struct brood_verdict v;
	unsigned char *memory;
	struct iovec two[2];
	uint64_t id;
	int fd;

	begin(NULL);
	REFUSES(brood_request_new(NULL, 1, &loan), -EINVAL, "NULL");
	REFUSES(brood_request_new(brood, 0, &loan), -EINVAL, "size is 0");
	REFUSES(brood_request_new(brood, SIZE_MAX, &loan), -EINVAL, "size is");
	REFUSES(brood_request_new(brood, SIZE, NULL), -EINVAL, "ret_request");
	CHECK(!brood_request_memory(NULL, NULL));
	CHECK_EQ(brood_request_out(NULL), 0);
	CHECK(!brood_request_free(NULL));
	loan = loan_new(SIZE, &memory);
	options = on_lease(loan);
	REFUSES(brood_call(brood, first_byte, "x", 1, NULL, 0, &options, &v), -EINVAL,
		"does not lie in the memory");
	REFUSES(brood_call(brood, first_byte, memory + 1, SIZE, NULL, 0, &options, &v), -EINVAL,
		"does not lie in the memory");
	REFUSES(brood_submit(brood, first_byte, memory - 1, 1, &options, &id), -EINVAL,
		"does not lie in the memory");
	two[0] = two[1] = (struct iovec){ .iov_base = memory, .iov_len = 1 };
	REFUSES(brood_submitv(brood, first_byte, two, 2, &options, &id), -EINVAL, "one piece");
	REFUSES(brood_callv(brood, first_byte, two, 2, NULL, 0, &options, &v), -EINVAL,
		"does not lie in the memory");
	CHECK_EQ(brood_callv(brood, first_byte, two, 1, NULL, 0, &options, &v), 0);
	options.dispatch = BROOD_PATH_AUTO;
	REFUSES(brood_open(brood, first_byte, &options, &fd, NULL), -EINVAL, "has a socket");
	CHECK_EQ(brood_request_out(loan), 0);
	brood_request_free(loan);
	pool_stop(brood);
	REFUSES(brood_request_new(brood, SIZE, &loan), -ESHUTDOWN, "brood_stop");
}
Test(loans, wrong_uses) { case_run(wrong, 30000); }

/* What a limit forbids is said, and the next buffer can be made. */
static void limits(void)
{
	struct rlimit before, low = { .rlim_cur = 1 << 16 };
	struct brood_request *loan;
	unsigned char *memory;

	begin(NULL);
	signal(SIGXFSZ, SIG_DFL);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
	low.rlim_max = before.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
	REFUSES(brood_request_new(brood, SIZE, &loan), -EFBIG, "RLIMIT_FSIZE");
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	REFUSES(brood_request_new(brood, SIZE, &loan), -EMFILE, "");
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

	CHECK_EQ(getrlimit(RLIMIT_AS, &before), 0);
	low = (struct rlimit){ .rlim_cur = 1 << 20, .rlim_max = before.rlim_max };
	CHECK_EQ(setrlimit(RLIMIT_AS, &low), 0);
	REFUSES(brood_request_new(brood, 16 * SIZE, &loan), -ENOMEM, "no memory for 16777216");
	CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);

	loan = loan_new(SIZE, &memory);
	memory[0] = 9;
	call_says(loan, memory, 1, 9);
	brood_request_free(loan);
	pool_stop(brood);
}
Test(loans, limits_are_told) { case_run(limits, 30000); }

/* ---- arrays of jobs ---- */

/* Each job of an array has another part of the buffer. */
static void array(void)
{
	enum { JOBS = 40 };
	struct brood_submission jobs[JOBS] = { 0 };
	struct brood_job_options options;
	const struct brood_result *result;
	struct brood_request *loan;
	unsigned char *memory;

	begin(NULL);
	loan = loan_new(JOBS * 5000, &memory);
	options = on_lease(loan);
	for (int i = 0; i < JOBS; i++) {
		memory[i * 5000] = (unsigned char)(i + 1);
		jobs[i] = (struct brood_submission){
			.size = sizeof jobs[i], .request = memory + i * 5000, .request_size = 5000
		};
	}
	CHECK_EQ(brood_submit_many(brood, first_byte, jobs, JOBS, &options), JOBS);
	for (int i = 0; i < JOBS; i++) {
		CHECK_EQ(brood_wait_id(brood_own_queue(brood), jobs[i].id, 10000, &result), 0);
		CHECK_EQ(result->verdict.code, i + 1);
	}
	CHECK_EQ(brood_request_out(loan), 0);
	jobs[1].request = "outside";
	CHECK_EQ(brood_submit_many(brood, first_byte, jobs, 3, &options), 1);
	CHECK_CONTAINS(brood_error(), "does not lie in the memory");
	CHECK_EQ(brood_wait_id(brood_own_queue(brood), jobs[0].id, 10000, &result), 0);
	brood_request_free(loan);
	pool_stop(brood);
}
Test(loans, an_array_of_parts) { case_run(array, 30000); }

/* ---- nothing is left ---- */

static int mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	while (maps && fgets(line, sizeof line, maps))
		count += strstr(line, "memfd:brood-request") != NULL;
	if (maps)
		fclose(maps);
	return count;
}

static int count_mappings(struct brood_job *job)
{
	(void)job;
	return mappings();
}

static int in_worker(void)
{
	struct brood_job_options options = on_lease(NULL);

	return pool_call_with(brood, count_mappings, &options).code;
}

/* A worker drops the memory although it stays on lease, and no job comes that needs the place. */
static void freed(void)
{
	enum { LOANS = 20 };
	struct brood_options pool = { .workers = 1, .lease_idle_ms = BROOD_FOREVER };
	struct brood_request *loans[LOANS];
	unsigned char *memory;
	int fds, in_use;

	begin(&pool);
	CHECK_EQ(in_worker(), 0);
	fds = proc_own_fds();
	for (int i = 0; i < LOANS; i++) {
		loans[i] = loan_new(SIZE, &memory);
		memory[0] = (unsigned char)i;
		call_says(loans[i], memory, 1, i);
	}
	in_use = in_worker();
	CHECK_EQ(in_use, 16);
	CHECK_EQ(mappings(), LOANS);
	CHECK_EQ(proc_own_fds(), fds + LOANS);
	for (int i = 0; i < LOANS; i++)
		brood_request_free(loans[i]);
	CHECK_EQ(mappings(), 0);
	CHECK_EQ(proc_own_fds(), fds);
	CHECK(WAIT_UNTIL(in_worker() == 0, 10000));
	pool_stop(brood);
}
Test(loans, nothing_is_left) { case_run(freed, 60000); }

/* At the end of the lease the worker drops what it had. */
static void lease_over(void)
{
	struct brood_options pool = { .workers = 1, .flags = BROOD_LEASE_REUSE };
	struct brood_job_options options;
	struct brood_request *loan;
	struct brood_lease *lease;
	struct brood_verdict v;
	unsigned char *memory;
	pid_t pid;

	begin(&pool);
	loan = loan_new(SIZE, &memory);
	memory[0] = 8;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
		options = on_lease(loan);
		options.lease = lease;
		CHECK_EQ(brood_call(brood, first_byte, memory, SIZE, NULL, 0, &options, &v), 0);
		CHECK_EQ(v.code, 8);
		pid = v.pid;
		brood_lease_end(lease);
		options = (struct brood_job_options){ .size = sizeof options,
			.dispatch = BROOD_PATH_HANDOFF };
		v = pool_call_with(brood, count_mappings, &options);
		CHECK_EQ(v.pid, pid);
		CHECK_EQ(v.code, 0);
	}
	brood_request_free(loan);
	pool_stop(brood);
}
Test(loans, the_lease_ends) { case_run(lease_over, 60000); }

/* ---- a worker that does not die ---- */

static int reads_for_ever(struct brood_job *job)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	atomic_store(&shared->at, (uintptr_t)brood_job_request(job, NULL));
	atomic_store(&shared->pid, getpid());
	for (;;)
		pause();
	return 0;
}

/* What stands first in the request, as that worker sees it. */
static int byte_there(void)
{
	char path[64];
	unsigned char byte = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/mem", atomic_load(&shared->pid));
	fd = open(path, O_RDONLY);
	CHECK_GE(fd, 0);
	CHECK_EQ(pread(fd, &byte, 1, (off_t)atomic_load(&shared->at)), 1);
	close(fd);
	return byte;
}

static bool holds(pid_t worker)
{
	return ptrace(PTRACE_SEIZE, worker, 0L, (long)PTRACE_O_TRACEEXIT) == 0;
}

static void undead(void)
{
	struct brood_options pool = { .workers = 2, .grace_ms = 30 };
	struct brood_job_options options;
	const struct brood_result *result;
	struct brood_request *loan;
	unsigned char *memory, *same;
	uint64_t id;
	pid_t worker;

	begin(&pool);
	loan = loan_new(SIZE, &memory);
	memset(memory, 1, SIZE);
	call_says(loan, memory, SIZE, 1);
	options = on_lease(loan);
	options.run_ms = 1000;
	CHECK_EQ(brood_submit(brood, reads_for_ever, memory, SIZE, &options, &id), 0);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), atomic_load(&shared->pid)), 10000));
	worker = atomic_load(&shared->pid);
	CHECK(holds(worker));
	CHECK_EQ(brood_wait_id(brood_own_queue(brood), id, 20000, &result), 0);
	CHECK_EQ(result->verdict.outcome, BROOD_TIMED_OUT);
	CHECK(proc_alive(worker));
	CHECK_EQ(brood_request_out(loan), 0);

	/* same address, same bytes; what the program writes now, that worker does not see */
	same = brood_request_memory(loan, NULL);
	CHECK(same == memory && memory[0] == 1 && memory[SIZE - 1] == 1);
	memset(memory, 2, SIZE);
	CHECK_EQ(byte_there(), 1);
	for (int i = 3; i < 6; i++) {
		memory[0] = (unsigned char)i;
		call_says(loan, memory, SIZE, i);
		CHECK_EQ(byte_there(), 1);
	}
	brood_request_free(loan);
	CHECK_EQ(byte_there(), 1);
	CHECK_EQ(mappings(), 0);
	CHECK_EQ(ptrace(PTRACE_DETACH, worker, 0L, 0L), 0);
	CHECK(proc_wait_gone(worker, 10000));
	pool_stop(brood);
}
Test(loans, a_worker_that_does_not_die) { case_run(undead, 60000); }
