/* SPDX-License-Identifier: MIT */
/*
 * pressure.c - memory is short: elastic pools give up idle workers and do not grow, until it is
 * calm. A FIFO plays the service manager's word; the kernel's own is tried as far as this machine
 * lets a test try it.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(pressure, .timeout = 120);

#define SOON_MS 10000

static struct brood *brood;
static int pressure_lines, resource_lines;
static char last_line[512];

static void listen_to(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	pressure_lines += log->event == BROOD_EVENT_PRESSURE;
	resource_lines += log->event == BROOD_EVENT_RESOURCE;
	snprintf(last_line, sizeof last_line, "%s", log->text);
}

static int told_lines(void)
{
	(void)brood_dispatch(brood);
	return pressure_lines;
}

static const struct brood_pool_options elastic = { .size = sizeof elastic,
	.name = "main",
	.scaling = BROOD_ELASTIC,
	.workers = 8,
	.workers_min = 2,
	.spare = 6,
	.idle_ms = 600000 };
static const struct brood_pool_options *const pools[] = { &elastic };

static char path[64];

static void make_fifo(void)
{
	snprintf(path, sizeof path, "/tmp/brood-pressure.%d", getpid());
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_EQ(setenv("MEMORY_PRESSURE_WATCH", path, 1), 0);
	CHECK_EQ(unsetenv("MEMORY_PRESSURE_WRITE"), 0);
}

static void press(void)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	CHECK_GE(fd, 0);
	CHECK_EQ(write(fd, "pressure", 8), 8);
	close(fd);
}

static bool has(uint32_t workers)
{
	struct brood_stats stats = pool_stats(brood);

	return stats.workers == workers && stats.ready == workers;
}

static void idle_ones_go(void)
{
	struct brood_options options = { .pools = pools, .pools_count = 1, .log = listen_to };
	struct brood_handle *handles[4];
	int fds[4];

	make_fifo();
	brood = pool_start(&options);
	CHECK(WAIT_UNTIL(has(6), SOON_MS));
	CHECK_EQ(told_lines(), 0);
	press();
	CHECK(WAIT_UNTIL(has(2), SOON_MS));
	CHECK(WAIT_UNTIL(told_lines() == 1, SOON_MS));
	CHECK_CONTAINS(last_line, "memory is short, says /tmp/brood-pressure.");
	/* more jobs than workers: the pool would grow, if it were calm */
	for (int i = 0; i < 4; i++)
		CHECK_EQ(brood_open(brood, job_sleep_forever, NULL, &fds[i], &handles[i]), 0);
	press();
	CHECK(has(2));
	CHECK(WAIT_UNTIL(pool_stats(brood).workers >= 4, 2 * SOON_MS));
	CHECK(WAIT_UNTIL(told_lines() == 2, SOON_MS));
	CHECK_CONTAINS(last_line, "memory is no longer short, after ");
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(brood_cancel(brood, brood_id(handles[i])), 0);
		close(fds[i]);
		brood_release(handles[i]);
	}
	CHECK_STR(getenv("MEMORY_PRESSURE_WATCH"), path);
	CHECK_EQ(unlink(path), 0);
	pool_stop(brood);
}
Test(pressure, idle_workers_go_and_none_come_until_it_is_calm) { case_run(idle_ones_go, 60000); }

static int supervisor_files(const char *words)
{
	char text[8192], *at = proc_fd_list(proc_supervisor(), text, sizeof text);
	int count = 0;

	while ((at = strstr(at, words))) {
		at++;
		count++;
	}
	return count;
}

/* Nobody watches: the pool is fixed, or the service manager or the program has turned it off. */
static void unwatched(void *context)
{
	struct brood_options options = { .workers = 1, .log = listen_to };
	const int which = *(int *)context;

	make_fifo();
	if (which > 0) {
		options.pools = pools;
		options.pools_count = 1;
	}
	if (which == 1)
		CHECK_EQ(setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1), 0);
	if (which == 2)
		options.pressure_ms = BROOD_FOREVER;
	brood = pool_start(&options);
	CHECK_EQ(supervisor_files("brood-pressure"), 0);
	CHECK_EQ(told_lines() + resource_lines, 0);
	CHECK_EQ(unlink(path), 0);
	pool_stop(brood);
}
Test(pressure, nobody_watches)
{
	for (int which = 0; which < 3; which++)
		case_run_with(unwatched, &which, 20000);
}

static void odd_file(void *context)
{
	static const char *const odd[] = { "/nowhere/at/all", "relative", "/dev/zero" };
	struct brood_options options = { .pools = pools, .pools_count = 1, .log = listen_to };

	CHECK_EQ(setenv("MEMORY_PRESSURE_WATCH", odd[*(int *)context], 1), 0);
	brood = pool_start(&options);
	CHECK(WAIT_UNTIL(told_lines() + resource_lines == 1, SOON_MS));
	CHECK_CONTAINS(last_line, "nobody tells when memory is short, and all else works: ");
	CHECK_CONTAINS(last_line, "MemoryPressureWatch=off");
	pool_stop(brood);
}
Test(pressure, a_file_that_is_none_is_one_line)
{
	for (int i = 0; i < 3; i++)
		case_run_with(odd_file, &i, 20000);
}

/* The kernel's own: it is heard, or one line says why not; the pool works in either case. */
static void by_the_kernel(void)
{
	struct brood_options options = { .workers = 1, .pressure_ms = 100, .log = listen_to };

	brood = pool_start(&options);
	(void)told_lines();
	if (resource_lines == 0)
		CHECK_EQ(supervisor_files("memory"), 1);
	else
		CHECK_CONTAINS(last_line, "pressure_ms needs a kernel with PSI");
	CHECK_GT(pool_ask_pid(brood), 0);
	pool_stop(brood);
}
Test(pressure, by_the_kernel) { case_run(by_the_kernel, 20000); }

static void wrong_value(void)
{
	struct brood_options options = { .size = sizeof options, .pressure_ms = 2001 };

	REFUSES(brood_start(&options, &brood), -EINVAL,
		"options.pressure_ms is 2001: at most 2000 (of each 2 s), 0 for what the service "
		"manager says, or BROOD_FOREVER for never");
}
Test(pressure, a_wrong_value_is_refused) { case_run(wrong_value, 20000); }
