/* SPDX-License-Identifier: MIT */
/*
 * fds.c - closing all fds but a few in every way, counting, limits. A case has 0-2 alone when it
 * begins.
 */
#include "kernel.h"
#include "os/fds.h"

#include <sys/resource.h>
#include <sys/stat.h>

TestSuite(kernel_fds, .timeout = 120);

static void open_up_to(int last)
{
	for (int fd = 3; fd <= last; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			CHECK_EQ(dup2(0, fd), fd);
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void check_closing(void)
{
	static const int keep[] = { 7, 3, 2, 900, -1, 7, 41, 40, 5000, 3 };
	int many[FDS_KEEP_MAX + 1];

	open_up_to(50);
	CHECK_EQ(dup2(0, 900), 900);
	CHECK_EQ(fds_close_all_but(keep, ARRAY_SIZE(keep)), 0);
	for (int fd = 0; fd < 1000; fd++)
		CHECK_MSG(is_open(fd) ==
				(fd < 3 || fd == 3 || fd == 7 || fd == 40 || fd == 41 || fd == 900),
			"fd %d", fd);
	open_up_to(10);
	CHECK_EQ(fds_close_all_but(NULL, 0), 0);
	for (int fd = 0; fd < 1000; fd++)
		CHECK_MSG(is_open(fd) == (fd < 3), "fd %d", fd);
	open_up_to(FDS_KEEP_MAX + 3);
	for (int i = 0; i <= FDS_KEEP_MAX; i++)
		many[i] = FDS_KEEP_MAX + 3 - i;
	CHECK_EQ(fds_close_all_but(many, FDS_KEEP_MAX + 1), -E2BIG);
	CHECK(is_open(3) && is_open(FDS_KEEP_MAX));
	CHECK_EQ(fds_close_all_but(many, FDS_KEEP_MAX - 1), 0);
	CHECK(is_open(FDS_KEEP_MAX + 3) && is_open(5) && !is_open(4));
	CHECK_EQ(fds_close_all_but(NULL, 0), 0);
}

static void by_proc(void)
{
	refuse(SYS_close_range, ENOSYS);
	check_closing();
}

static void by_proc_eperm(void)
{
	refuse(SYS_close_range, EPERM);
	check_closing();
}

static void by_loop(void)
{
	refuse(SYS_close_range, ENOSYS);
	refuse(SYS_getdents64, EACCES);
	check_closing();
}

Test(kernel_fds, close_all_but) { case_run(check_closing, 20000); }
Test(kernel_fds, close_all_but_without_close_range)
{
	NEEDS_FILTERS();
	case_run(by_proc, 20000);
	case_run(by_proc_eperm, 20000);
}
Test(kernel_fds, close_all_but_without_proc)
{
	NEEDS_FILTERS();
	case_run(by_loop, 20000);
}

static void counting(void)
{
	struct rlimit limit, tight;

	for (int fd = 3; fd < 100; fd++) {
		CHECK_EQ(fds_count(), fd);
		CHECK_EQ(dup(0), fd);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = 100; /* the table is full */
	setrlimit(RLIMIT_NOFILE, &tight);
	/* it has to read the directory, as on a kernel before 6.2 */
	if (fds_count() != -EMFILE)
		CHECK_EQ(fds_count(), 100);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK_EQ(fds_close_all_but(NULL, 0), 0);
	CHECK_EQ(fds_count(), 3);
}
Test(kernel_fds, count) { case_run(counting, 20000); }

static void size_of_proc_self_fd(void)
{
	struct stat st;

	for (int fd = 3; fd < 20; fd++) {
		CHECK_EQ(stat("/proc/self/fd", &st), 0);
		CHECK_EQ(st.st_size, fd);
		CHECK_EQ(dup(0), fd);
	}
}
Test(kernel_fds, proc_self_fd_has_a_size)
{
	struct stat st;

	if (stat("/proc/self/fd", &st) < 0 || st.st_size == 0)
		cr_skip_test("a kernel before 6.2: counted by reading");
	case_run(size_of_proc_self_fd, 20000);
}

static void standard(void)
{
	struct stat null, st;
	int up;

	CHECK_EQ(stat("/dev/null", &null), 0);
	close(0);
	close(1);
	close(2);
	CHECK_EQ(fds_fill_standard(), 0);
	for (int fd = 0; fd < 3; fd++) {
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_rdev, null.st_rdev);
		CHECK_EQ(fcntl(fd, F_GETFD), 0); /* stays over exec */
		CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, fd == 0 ? O_RDONLY : O_WRONLY);
	}
	CHECK_EQ(fds_count(), 3);
	CHECK_EQ(fds_fill_standard(), 0);
	CHECK_EQ(fds_null_onto(0, O_RDONLY), 0);
	CHECK_EQ(fds_count(), 3);
	up = fds_dup_above(0, 50);
	CHECK_EQ(up, 50);
	CHECK_EQ(fcntl(up, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fds_cloexec(up, false), 0);
	CHECK_EQ(fcntl(up, F_GETFD), 0);
	CHECK_EQ(fds_cloexec(up, true), 0);
	CHECK_EQ(fcntl(up, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fds_cloexec(60, true), -EBADF);
	CHECK_EQ(fds_dup_above(60, 3), -EBADF);
}
Test(kernel_fds, standard_fds_and_copies) { case_run(standard, 20000); }

static void limits(void)
{
	struct rlimit limit = { 100, 200 };
	size_t hard = 77;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(fds_raise_limit(50, &hard), 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	CHECK_EQ(limit.rlim_cur, 100); /* never lowered */
	CHECK_EQ(fds_raise_limit(150, &hard), 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	CHECK_GE(limit.rlim_cur, 150);
	CHECK_EQ(hard, 77);
	CHECK_EQ(fds_raise_limit(201, &hard), -EMFILE);
	CHECK_EQ(hard, 200);
}
Test(kernel_fds, the_soft_limit_is_raised) { case_run(limits, 20000); }
