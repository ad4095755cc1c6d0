/* SPDX-License-Identifier: MIT */
/*
 * loans_hostile.c - buffers of brood_request_new(): a worker cannot write to the memory, whatever
 * it tries.
 */
#define _GNU_SOURCE
#include "loans.h"

TestSuite(loans_hostile, .timeout = 180);

/* How many of the attacks succeed on a file without seals, at least. */
#define BREACHES_OF_FILE   10
#define BREACHES_OF_MEMORY 5

/* The first breach is kept: what comes after it may be its consequence. */
#define MUST_FAIL(act)                                                               \
	do {                                                                         \
		if (!(act))                                                          \
			break;                                                       \
		shared->breaches++;                                                  \
		if (!shared->breach[0])                                              \
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
Test(loans_hostile, a_worker_cannot_write) { case_run(hostile, 60000); }

/* The control: most of these attacks succeed on a file without seals (the others on none). */
static void without_seals(void)
{
	int fd = memfd_create("brood-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned char *memory;

	shared_new();
	CHECK_GE(fd, 0);
	CHECK_EQ(ftruncate(fd, SIZE), 0);
	attack_file(fd);
	CHECK_GE(shared->breaches, BREACHES_OF_FILE);
	CHECK_EQ(ftruncate(fd, SIZE), 0);
	memory = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	shared->breaches = 0;
	attack_memory(memory);
	CHECK_GE(shared->breaches, BREACHES_OF_MEMORY);
}
Test(loans_hostile, the_attacks_are_real) { case_run(without_seals, 60000); }

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
Test(loans_hostile, a_store_is_a_crash) { case_run(store, 60000); }
