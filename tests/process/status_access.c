/* SPDX-License-Identifier: MIT */
/* status_access.c - who may read the status page, and wrong calls of those that read it. */
#include "../../src/base/base.h"
#include "../../tools/status/page.h"
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(status_access, .timeout = 60);

static struct status_page page;

/* ---- who may ---- */

static void others(void)
{
	struct brood *brood = pool_start_workers(1);
	struct status_page own;
	char path[64];
	pid_t nobody;
	int fd = -1, status;

	CHECK_EQ(status_page_open(getpid(), &page), 0);
	/* not even its owner writes there */
	for (int i = 3; i < 64 && fd < 0; i++) {
		char link[64] = "";

		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), i);
		if (readlink(path, link, sizeof link - 1) > 0 &&
			strcmp(link, BROOD_STATUS_LINK) == 0)
			fd = open(path, geteuid() == 0 ? O_RDWR : O_RDONLY);
	}
	CHECK_GE(fd, 0);
	CHECK_LT(pwrite(fd, "x", 1, 0), 0);
	CHECK_EQ((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		(long)MAP_FAILED);
	CHECK_LT(ftruncate(fd, 0), 0);
	close(fd);
	if (geteuid() == 0) {
		fflush(NULL);
		nobody = fork();
		if (nobody == 0) {
			if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
				_exit(2);
			_exit(status_page_open(page.supervisor, &own) == -EACCES ? 0 : 1);
		}
		CHECK_EQ(waitpid(nobody, &status, 0), nobody);
		CHECK_EQ(status, 0);
	}
	pool_stop(brood);
}
Test(status_access, nobody_else_reads_it_and_nobody_writes_it) { case_run(others, 30000); }

static int job_has_the_page(struct brood_job *job)
{
	char path[64], link[64];

	(void)job;
	for (int i = 0; i < 1024; i++) {
		ssize_t n;

		snprintf(path, sizeof path, "/proc/self/fd/%d", i);
		n = readlink(path, link, sizeof link - 1);
		link[MAX(n, 0)] = '\0';
		if (strcmp(link, BROOD_STATUS_LINK) == 0)
			return 1;
	}
	return 0;
}
static void files(void)
{
	struct brood *brood = pool_start_workers(1);

	CHECK_EQ(POOL_CALL(brood, job_has_the_page).outcome, BROOD_DONE);
	CHECK_EQ(job_has_the_page(NULL), 0); /* nor has the engine */
	pool_stop(brood);
}
Test(status_access, only_the_supervisor_has_the_file) { case_run(files, 30000); }

/* ---- calls ---- */

static void wrong(void)
{
	struct brood *brood = pool_start_workers(2);
	struct brood_pool *pool = brood_pool(brood, NULL);
	struct brood_worker_info infos[2];
	struct brood_histogram h = { 0 };

	REFUSES(brood_workers(NULL, infos, sizeof infos[0], 2), -EINVAL, "NULL");
	REFUSES(brood_workers(pool, NULL, sizeof infos[0], 2), -EINVAL, "ret_infos is NULL");
	REFUSES(brood_workers(pool, infos, 8, 2), -EINVAL, "info_size");
	CHECK_EQ(brood_workers(pool, NULL, sizeof infos[0], 0), 2);
	CHECK_EQ(brood_workers(pool, infos, sizeof infos[0], 1), 2);
	REFUSES(brood_histogram(pool, BROOD_TIME_RUN, &h), -EINVAL, "size is not set");
	h.size = sizeof h;
	REFUSES(brood_histogram(pool, (enum brood_time)99, &h), -EINVAL, "no enum brood_time");
	REFUSES(brood_histogram(pool, BROOD_TIME_RUN, NULL), -EINVAL, "NULL");
	CHECK_EQ(brood_histogram(pool, BROOD_TIME_RUN, &h), 0);
	CHECK_EQ(h.count, 0);
	CHECK_EQ(brood_histogram_quantile(NULL, 0.5), 0);
	CHECK_EQ(brood_histogram_quantile(&h, 0.5), 0);
	pool_stop(brood);
}
Test(status_access, wrong_calls) { case_run(wrong, 30000); }
