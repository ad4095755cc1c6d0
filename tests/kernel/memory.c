/* SPDX-License-Identifier: MIT */
/*
 * memory.c - pages that a fork wipes, sealed memfds, and which process can still touch which part
 * of the shared memory.
 */
#include "kernel.h"
#include "os/fds.h"
#include "os/shm.h"
#include "wire/shared.h"

#include <sys/resource.h>

TestSuite(kernel_memory, .timeout = 120);

static void wiped(void)
{
	enum process_spawn ways[] = { PROCESS_CLONE3, PROCESS_CLONE, PROCESS_FORK };
	size_t size = shm_page();
	uint64_t *page = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	CHECK_EQ(shm_wipe_on_fork(page, size), 0);
	*page = 42;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int pidfd = -1;
		pid_t pid = process_spawn(&ways[i], &pidfd);

		CHECK_GE(pid, 0);
		if (pid == 0) {
			CHECK_EQ(*page, 0);
			*page = 1;
			pid = fork();
			if (pid == 0) {
				CHECK_EQ(*page, 0); /* and so on down the line */
				_exit(0);
			}
			ends_well(pid);
			CHECK_EQ(*page, 1);
			_exit(0);
		}
		ends_well(pid);
		close_fd(pidfd);
		CHECK_EQ(*page, 42);
	}
	/* private memory only */
	CHECK_EQ(shm_wipe_on_fork(shm_anonymous(size), size), -EINVAL);
}
Test(kernel_memory, wipe_on_fork) { case_run(wiped, 20000); }

static void memfds(void)
{
	int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, before = fds_count(),
	    fd;
	char text[8] = "";
	size_t size = 10 << 20;
	char *big = calloc(1, size);

	fd = shm_memfd("test", "hello", 6, &seals);
	CHECK_GE(fd, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 6);
	CHECK_EQ(pread(fd, text, sizeof text, 0), 6);
	CHECK_STR(text, "hello");
	CHECK_EQ(fcntl(fd, F_GET_SEALS) & seals, seals);
	CHECK_EQ(pwrite(fd, "x", 1, 0), -1);
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(ftruncate(fd, 0), -1);
	CHECK(mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	/* MAP_SHARED only since 6.7 */
	CHECK(mmap(NULL, 6, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	close(fd);
	fd = shm_memfd("empty", NULL, 0, &seals);
	CHECK_GE(fd, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	fd = shm_memfd("zeros", NULL, 12345, NULL);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 12345);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	close(fd);
	big[size - 1] = 'e';
	fd = shm_memfd("big", big, size, &seals);
	CHECK_EQ(pread(fd, text, 8, (off_t)size - 1), 1);
	CHECK_EQ(text[0], 'e');
	close(fd);
	CHECK_EQ(fds_count(), before);
}
Test(kernel_memory, sealed_memfds) { case_run(memfds, 20000); }

/* A limit on the size of files must be an error here, and not SIGXFSZ. */
static void file_limit(void)
{
	struct rlimit limit = { 1000, 1000 };
	int before = fds_count(), seals = F_SEAL_WRITE, fd;
	static char data[2000];

	setrlimit(RLIMIT_FSIZE, &limit);
	CHECK_EQ(shm_memfd("test", data, 1001, &seals), -EFBIG);
	CHECK_EQ(shm_memfd("test", NULL, 1001, &seals), -EFBIG);
	CHECK_EQ(fds_count(), before);
	fd = shm_memfd("test", data, 1000, &seals);
	CHECK_GE(fd, 0);
	close(fd);
	limit.rlim_cur = limit.rlim_max = (rlim_t)before;
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK_EQ(shm_memfd("test", data, 10, &seals), -EMFILE);
}
Test(kernel_memory, a_memfd_that_may_not_be) { case_run(file_limit, 20000); }

static void stacks(void)
{
	CHECK(shm_stack(SIZE_MAX) == NULL);
	CHECK(shm_stack(SIZE_MAX - shm_page()) == NULL);
	for (size_t size = 1; size < 1 << 20; size = size * 3 + 1) {
		char *stack = shm_stack(size);

		CHECK(stack);
		memset(stack, 'x', size);
	}
}
Test(kernel_memory, stacks) { case_run(stacks, 20000); }

/* ---- the shared pieces ----------------------------------------------------------------------- */

static struct shared shared;

struct look {
	void (*keep)(struct shared *s);
	volatile char *at;
	bool write;
};

static int touch(const struct look *look)
{
	struct process_exit end;
	pid_t pid = fork();

	CHECK_GE(pid, 0);
	if (pid == 0) {
		volatile char c;

		look->keep(&shared);
		c = *look->at;
		if (look->write)
			*look->at = c;
		_exit(0);
	}
	end = end_of(pid);
	return end.code == CLD_EXITED ? end.status : -end.status;
}

static void keep_slot_page_2(struct shared *s) { shared_keep_slot_page(s, 2); }
static void keep_first_slot_page(struct shared *s) { shared_keep_slot_page(s, 0); }
static void keep_last_slot_page(struct shared *s) { shared_keep_slot_page(s, 9); }

/* Which slots' pages are still mapped. */
enum { NONE = 10, ALL };
static void expect_pages(void (*keep)(struct shared *s), uint32_t own, uint32_t own_lease_page)
{
	for (uint32_t slot = 0; slot < 10; slot++) {
		struct look page = { keep, (volatile char *)shared_slot_page(&shared, slot), true },
			    lease_page = { keep, (volatile char *)shared_lease_page(&shared, slot),
				    true };

		CHECK_EQ(touch(&page), slot == own || own == ALL ? 0 : -SIGSEGV);
		CHECK_EQ(touch(&lease_page),
			slot == own_lease_page || own_lease_page == ALL ? 0 : -SIGSEGV);
	}
}

static void pieces(void)
{
	volatile char *roster, *stats_page;

	CHECK_EQ(shared_create(10, 1, &shared), 0);
	CHECK_EQ(shared.roster->slots, 10);
	roster = (volatile char *)shared.roster;
	stats_page = (volatile char *)shared.stats_page;
	expect_pages(keep_slot_page_2, 2, NONE);
	expect_pages(keep_first_slot_page, 0, NONE);
	expect_pages(keep_last_slot_page, 9, NONE);
	expect_pages(shared_keep_engine, ALL, ALL);
	expect_pages(shared_keep_guard, NONE, NONE);
	CHECK_EQ(touch(&(struct look){ keep_slot_page_2, roster, false }), -SIGSEGV);
	CHECK_EQ(touch(&(struct look){ keep_slot_page_2, stats_page, false }), -SIGSEGV);
	CHECK_EQ(touch(&(struct look){ shared_keep_engine, roster, false }), -SIGSEGV);
	CHECK_EQ(touch(&(struct look){ shared_keep_engine, stats_page, false }), 0);
	CHECK_EQ(touch(&(struct look){ shared_keep_engine, stats_page, true }), -SIGSEGV);
	CHECK_EQ(touch(&(struct look){ shared_keep_guard, roster, true }), 0);
	CHECK_EQ(touch(&(struct look){ shared_keep_guard, stats_page, false }), -SIGSEGV);
	shared_slot_page(&shared, 3)->word = SLOT_PAGE_WORD(77, SLOT_PAGE_RUNNING);
	CHECK_EQ(SLOT_PAGE_STATE(shared_slot_page(&shared, 3)->word), SLOT_PAGE_RUNNING);
	CHECK_EQ(SLOT_PAGE_SEQUENCE(shared_slot_page(&shared, 3)->word), 77);
	shared_free(&shared);
	shared_free(&shared);
	CHECK_EQ(shared_create(0, 1, &shared), 0);
	shared_free(&shared);
	CHECK_EQ(shared_create(10000, 1, &shared), 0);
	shared_free(&shared);
}
Test(kernel_memory, who_can_touch_what) { case_run(pieces, 60000); }
