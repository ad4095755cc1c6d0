/* SPDX-License-Identifier: MIT */
/*
 * loans.c - buffers of brood_request_new(): what is wrong with a use is said; a worker cannot write
 * to the memory, whatever it tries; nothing of a buffer is left when it is freed; a worker that
 * does not die keeps the memory that it has.
 */
#define _GNU_SOURCE
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

TestSuite(loans, .timeout = 180);

#define SIZE ((size_t)1 << 20)

static struct brood *brood;
static struct {
	atomic_int pid;
	atomic_ullong at; /* the address of the request in the worker */
	char breach[128];
} * shared;

static void begin(const struct brood_options *options)
{
	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	brood = pool_start(options);
}

static struct brood_request *loan_new(size_t size, unsigned char **ret_memory)
{
	struct brood_request *loan;

	CHECK_EQ(brood_request_new(brood, size, &loan), 0);
	*ret_memory = brood_request_memory(loan, NULL);
	return loan;
}

static struct brood_job_options on_lease(struct brood_request *loan)
{
	return (struct brood_job_options){ .size = sizeof(struct brood_job_options),
		.dispatch = BROOD_PATH_LEASE,
		.request = loan };
}

/* Returns the first byte of the request. */
static int first_byte(struct brood_job *job)
{
	size_t size;
	const unsigned char *request = brood_job_request(job, &size);

	return request && size > 0 ? request[0] : -1;
}

static void call_says(struct brood_request *loan, unsigned char *at, size_t size, int code)
{
	struct brood_job_options options = on_lease(loan);
	struct brood_verdict v;

	CHECK_MSG(brood_call(brood, first_byte, at, size, NULL, 0, &options, &v) >= 0, "%s",
		brood_error());
	CHECK_EQ(v.path, BROOD_PATH_LEASE);
	CHECK_EQ(v.code, code);
}

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

/* ---- a hostile worker ---- */

#define MUST_FAIL(act)                                                               \
	do {                                                                         \
		if (act)                                                             \
			snprintf(shared->breach, sizeof shared->breach, "%s", #act); \
	} while (0)

/* Each way to write to the memory through an fd of its file. */
static void attack_file(int fd)
{
	static char zeros[4096];
	int null = open("/dev/zero", O_RDONLY), pipes[2];
	struct iovec piece = { .iov_base = zeros, .iov_len = sizeof zeros };
	off_t at = 0, from = 0;
	void *p;

	if (null < 0 || pipe(pipes) < 0 || write(pipes[1], zeros, 100) != 100)
		_exit(9);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST_FAIL(p != MAP_FAILED);
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED) {
		MUST_FAIL(mprotect(p, SIZE, PROT_READ | PROT_WRITE) == 0);
		MUST_FAIL(madvise(p, SIZE, MADV_REMOVE) == 0);
	}
	MUST_FAIL(write(fd, zeros, 1) > 0);
	MUST_FAIL(pwrite(fd, zeros, sizeof zeros, 0) > 0);
	MUST_FAIL(pwritev(fd, &piece, 1, 0) > 0);
	MUST_FAIL(ftruncate(fd, 0) == 0);
	MUST_FAIL(ftruncate(fd, 2 * SIZE) == 0);
	MUST_FAIL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) == 0);
	MUST_FAIL(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, SIZE) == 0);
	MUST_FAIL(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0);
	MUST_FAIL(fallocate(fd, 0, 0, 2 * SIZE) == 0);
	MUST_FAIL(sendfile(fd, null, NULL, 4096) > 0);
	MUST_FAIL(splice(pipes[0], NULL, fd, &at, 100, 0) > 0);
	MUST_FAIL(copy_file_range(null, &from, fd, &at, 100, 0) > 0);
	MUST_FAIL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	close(null);
	close(pipes[0]);
	close(pipes[1]);
}

/* Each way to write to the mapping that the library made. */
static void attack_memory(unsigned char *request)
{
	char zeros[64] = { 0 };
	struct iovec from = { .iov_base = zeros, .iov_len = sizeof zeros };
	struct iovec to = { .iov_base = request, .iov_len = sizeof zeros };
	int fd = open("/proc/self/mem", O_RDWR), null = open("/dev/zero", O_RDONLY);
	void *other;

	MUST_FAIL(mprotect(request, SIZE, PROT_READ | PROT_WRITE) == 0);
	MUST_FAIL(madvise(request, SIZE, MADV_REMOVE) == 0);
	MUST_FAIL(process_vm_writev(getpid(), &from, 1, &to, 1, 0) > 0);
	MUST_FAIL(fd >= 0 && pwrite(fd, zeros, sizeof zeros, (off_t)(uintptr_t)request) > 0);
	MUST_FAIL(read(null, request, 64) > 0);
	other = mremap(request, 0, SIZE, MREMAP_MAYMOVE);
	if (other != MAP_FAILED)
		MUST_FAIL(mprotect(other, SIZE, PROT_READ | PROT_WRITE) == 0);
	close(fd);
	close(null);
}

/* The extra fd is the file of the memory: as the side socket brings it, and opened anew. */
static int attacks(struct brood_job *job)
{
	unsigned char *request = (unsigned char *)(uintptr_t)brood_job_request(job, NULL);
	char path[64];
	int fd = brood_job_extra_fd(job, 0), anew;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	anew = open(path, O_RDWR);
	if (!request || fd < 0 || anew < 0)
		return 1;
	attack_file(fd);
	attack_file(anew);
	attack_memory(request);
	close(anew);
	return request[0] == 42 && request[SIZE - 1] == 43 ? 0 : 2;
}

/* Returns the engine's own fd of the buffer. */
static int file_of_loan(void)
{
	char path[64], name[64];

	for (int fd = 3; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, name, sizeof name - 1);
		name[n > 0 ? n : 0] = '\0';
		if (strncmp(name, "/memfd:brood-request", 20) == 0)
			return fd;
	}
	return -1;
}

static void hostile(void)
{
	struct brood_options pool = { .workers = 2, .tolerate = BROOD_LEFT_FDS };
	struct brood_job_options options;
	struct brood_request *loan;
	struct brood_verdict v;
	unsigned char *memory;
	int fd;

	begin(&pool);
	loan = loan_new(SIZE, &memory);
	memory[0] = 42;
	memory[SIZE - 1] = 43;
	fd = file_of_loan();
	CHECK_GE(fd, 0);
	options = on_lease(loan);
	options.fds = &fd;
	options.fds_count = 1;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_call(brood, attacks, memory, SIZE, NULL, 0, &options, &v), 0);
		CHECK_MSG(v.outcome == BROOD_DONE && !shared->breach[0], "code %d, breach: %s",
			v.code, shared->breach);
		/* the second time the worker has the memory mapped for good */
		call_says(loan, memory, SIZE, 42);
	}
	CHECK_EQ(memory[0], 42);
	CHECK_EQ(memory[SIZE - 1], 43);
	memory[0] = 44; /* the engine can write, still */
	call_says(loan, memory, SIZE, 44);
	brood_request_free(loan);
	pool_stop(brood);
}
Test(loans, a_worker_cannot_write) { case_run(hostile, 60000); }

/* A store into the memory is a crash of the job, and harms nobody else. */
static int stores(struct brood_job *job)
{
	unsigned char *request = (unsigned char *)(uintptr_t)brood_job_request(job, NULL);

	*(volatile unsigned char *)request = 1;
	return 0;
}

static void store(void)
{
	struct brood_job_options options;
	struct brood_request *loan;
	struct brood_verdict v;
	unsigned char *memory;

	begin(NULL);
	loan = loan_new(SIZE, &memory);
	memory[0] = 5;
	options = on_lease(loan);
	CHECK_EQ(brood_call(brood, stores, memory, SIZE, NULL, 0, &options, &v), -EREMOTEIO);
	CHECK_EQ(v.signal, SIGSEGV);
	CHECK_EQ(memory[0], 5);
	call_says(loan, memory, SIZE, 5);
	brood_request_free(loan);
	pool_stop(brood);
}
Test(loans, a_store_is_a_crash) { case_run(store, 60000); }

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
