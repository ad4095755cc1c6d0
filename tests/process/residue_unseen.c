/* SPDX-License-Identifier: MIT */
/*
 * residue_unseen.c - residue of jobs where the worker cannot see it: behind a filter, in a chroot,
 * without /proc.
 */
#define _GNU_SOURCE
#include "../helpers/residue_jobs.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

TestSuite(residue, .timeout = 120);

/* ---- nobody is blamed for another ---- */

static void *sleeps(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* ---- where /proc is hidden ---- */

static char folder[] = "/tmp/brood-residue-XXXXXX";
static int own_threads; /* that worker_init starts */
static bool forbid_unshare, forget_kept;

/* These calls say EPERM from now on. */
static int forbid(const int *calls, size_t count)
{
	struct sock_filter filter[32] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .filter = filter };
	size_t n = 1;

	for (size_t i = 0; i < count; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0;
}

static int start_threads(void)
{
	pthread_t thread;
	int r = 0;

	for (int i = 0; i < own_threads && r == 0; i++)
		r = pthread_create(&thread, NULL, sleeps, NULL);
	return r;
}

static void close_files_of_proc(void)
{
	struct statfs fs;

	for (int fd = 3; fd < 64; fd++)
		if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
			close(fd);
}

static int goes_into_folder(void *context)
{
	static const int unshare_call[] = { SYS_unshare };

	(void)context;
	if (start_threads() || chroot(folder) < 0 || chdir("/") < 0)
		return 1;
	if (forget_kept)
		close_files_of_proc();
	return forbid_unshare ? forbid(unshare_call, 1) : 0;
}

static int filters(void *context)
{
	static const int calls[] = { SYS_openat, SYS_unshare }; /* fstat() is needed */

	(void)context;
	return start_threads() || forbid(calls, sizeof calls / sizeof calls[0]);
}

static int joins_threads(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	for (int i = 0; i < 20; i++)
		if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)getpid, NULL) ||
			pthread_join(thread, NULL))
			return 1;
	return 0;
}

static void seen_with(int (*init)(void *), int threads, uint32_t path)
{
	static const struct {
		brood_fn *fn;
		uint32_t left;
	} rows[] = {
		{ makes_calls, 0 },
		{ joins_threads, 0 },
		{ leaves_thread, BROOD_LEFT_THREADS },
		{ leaves_fd, BROOD_LEFT_FDS },
		{ leaves_child, BROOD_LEFT_CHILDREN },
	};
	struct brood_options options = { .workers = 1, .log = note_log, .worker_init = init };

	own_threads = threads;
	brood = pool_start(&options);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		pid_t before = pool_ask_pid(brood);

		expect_left(on_path(rows[i].fn, path, 0, 0), rows[i].left);
		if (rows[i].left)
			CHECK(WAIT_UNTIL(!proc_alive(before) && pool_full(brood), 10000));
		else
			CHECK_EQ(pool_ask_pid(brood), before);
		expect_left(on_path(makes_calls, path, 0, 0), 0);
	}
	pool_stop(brood);
}

struct sight {
	int (*init)(void *);
	int threads;
	uint32_t path;
};
static void seen(void *context)
{
	const struct sight *s = context;

	seen_with(s->init, s->threads, s->path);
}

static void seen_everywhere(int (*init)(void *), int threads)
{
	for
		EACH_PATH(p)
	case_run_with(seen, &(struct sight){ init, threads, paths[p] }, 30000);
}

Test(residue, behind_a_filter)
{
	seen_everywhere(filters, 0);
	seen_everywhere(filters, 1);
}

Test(residue, in_a_chroot)
{
	if (geteuid() != 0)
		cr_skip_test("chroot() is for root");
	cr_assert(mkdtemp(folder) != NULL);
	seen_everywhere(goes_into_folder, 0);
	seen_everywhere(goes_into_folder, 2);
	forget_kept = true;
	seen_everywhere(goes_into_folder, 0);
	forbid_unshare = true, forget_kept = false;
	seen_everywhere(goes_into_folder, 1);
	rmdir(folder);
}

static int blind_lines;
static void counts_blind(void *context, const struct brood_log *log)
{
	note_log(context, log);
	blind_lines += strstr(log->text, "cannot see threads ") != NULL;
}

static void nobody_can_see(void)
{
	struct brood_options options = {
		.workers = 3, .log = counts_blind, .worker_init = goes_into_folder
	};

	brood = pool_start(&options);
	expect_left(on_path(makes_calls, 0, 0, 0), 0);
	pool_stop(brood);
	CHECK_EQ(blind_lines, 1);
}

Test(residue, what_cannot_be_seen_is_said_once)
{
	if (geteuid() != 0)
		cr_skip_test("chroot() is for root");
	cr_assert(mkdtemp(folder) != NULL);
	forbid_unshare = forget_kept = true;
	case_run(nobody_can_see, 20000);
	rmdir(folder);
}
