/* SPDX-License-Identifier: MIT */
/*
 * residue_calls.c - residue of jobs whose system calls are watched: what a job leaves is found
 * behind any number of harmless calls, and after harmless calls alone nobody looks.
 */
#define _GNU_SOURCE
#include "../helpers/residue_jobs.h"
#include "../../src/os/syscalls.h"
#include "../../src/pool/tame.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

TestSuite(residue, .timeout = 120);

static int number_of(struct brood_job *job) { return *(const int *)brood_job_arg(job, NULL); }

/* ---- what a job leaves is found, whatever it has called before and calls after ---- */

static int leaves_nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}

static int leaves_other_stdin(struct brood_job *job)
{
	int fd = open("/dev/zero", O_RDONLY);

	(void)job;
	return dup2(fd, 0) < 0 || close(fd) < 0;
}

static int leaves_opened(struct brood_job *job)
{
	(void)job;
	return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0;
}

static int leaves_timer(struct brood_job *job)
{
	struct itimerval later = { .it_value = { .tv_sec = 1000 } };

	(void)job;
	return setitimer(ITIMER_VIRTUAL, &later, NULL);
}

static int leaves_posix_timer(struct brood_job *job)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int id;

	(void)job;
	return (int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id);
}

static int leaves_a_blocked_sigsys(struct brood_job *job)
{
	sigset_t set;

	(void)job;
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static const struct {
	brood_fn *fn;
	uint32_t left;
} rows[] = {
	{ leaves_nothing, 0 },
	{ leaves_mask, BROOD_LEFT_MASK },
	{ leaves_a_blocked_sigsys, BROOD_LEFT_MASK },
	{ leaves_alarm, BROOD_LEFT_TIMERS },
	{ leaves_timer, BROOD_LEFT_TIMERS },
	{ leaves_posix_timer, BROOD_LEFT_TIMERS },
	{ leaves_cwd, BROOD_LEFT_CWD },
	{ leaves_umask, BROOD_LEFT_UMASK },
	{ leaves_handlers, BROOD_LEFT_HANDLERS },
	{ leaves_fd, BROOD_LEFT_FDS },
	{ leaves_opened, BROOD_LEFT_FDS },
	{ leaves_other_stdin, BROOD_LEFT_FDS },
	{ leaves_child, BROOD_LEFT_CHILDREN },
	{ leaves_zombie, BROOD_LEFT_CHILDREN },
	{ leaves_thread, BROOD_LEFT_THREADS },
};

struct plan {
	uint32_t row;
	int before, after; /* harmless calls */
};

static int calls_and_leaves(struct brood_job *job)
{
	const struct plan *plan = brood_job_arg(job, NULL);
	int r;

	for (int i = 0; i < plan->before; i++)
		if (syscall(SYS_getppid) <= 0)
			return 1;
	r = rows[plan->row].fn(job);
	for (int i = 0; i < plan->after; i++)
		syscall(SYS_getppid);
	return r;
}

static struct brood_verdict by_plan(uint32_t path, struct plan plan)
{
	const struct brood_job_options options = {
		.size = sizeof options, .dispatch = path, .arg = &plan, .arg_size = sizeof plan
	};

	return pool_call_with(brood, calls_and_leaves, &options);
}

/* The job before each leaves nothing, and calls little: so the function's jobs stay watched. */
static void found(uint32_t path, struct plan plan)
{
	struct brood_verdict v;

	expect_left(by_plan(path, (struct plan){ 0, 1, 1 }), 0);
	v = by_plan(path, plan);
	CHECK_MSG(v.outcome == BROOD_DONE && v.code == 0 && v.left == rows[plan.row].left,
		"row %u, %d calls before and %d after, path %u: outcome %d, code %d, left 0x%x",
		plan.row, plan.before, plan.after, path, (int)v.outcome, v.code, v.left);
}

static void behind_harmless_calls(uint32_t path)
{
	static const int before[] = { 0, 1, TAME_MAX - 1, TAME_MAX, TAME_MAX + 1 };
	struct brood_options options = { .workers = 1, .log = note_log };

	brood = pool_start(&options);
	for (uint32_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
		for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
			found(path, (struct plan){ row, before[i], (int)i % 3 });
	pool_stop(brood);
}
static void by_handoff(void) { behind_harmless_calls(BROOD_PATH_HANDOFF); }
Test(residue, found_behind_harmless_calls_by_handoff) { case_run(by_handoff, 60000); }
static void on_lease(void) { behind_harmless_calls(BROOD_PATH_LEASE); }
Test(residue, found_behind_harmless_calls_on_a_lease) { case_run(on_lease, 60000); }

/* A function that is not watched any more, for its jobs have needed a look: nothing is missed. */
static void of_a_busy_function(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };

	brood = pool_start(&options);
	for
		EACH_PATH(p)
	for (int i = 0; i < 400; i++) {
		const uint32_t row = 1 + (uint32_t)i % 8;

		expect_left(by_plan(paths[p], (struct plan){ row, i % 9, 0 }), rows[row].left);
	}
	pool_stop(brood);
}
Test(residue, found_when_a_function_is_not_watched) { case_run(of_a_busy_function, 60000); }

/* ---- who is looked after ---- */

/*
 * From now on each look finds another umask, since the kernel refuses to tell. So a verdict with
 * BROOD_LEFT_UMASK says that there was a look.
 */
static int makes_looks_known(struct brood_job *job)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .filter = filter, .len = 4 };

	(void)job;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0;
}

static int asks(struct brood_job *job)
{
	int r = 0;

	for (int i = number_of(job); i > 0; i--)
		r |= syscall(SYS_getpid) != getpid();
	return r;
}

static int asks_once(struct brood_job *job)
{
	(void)job;
	return syscall(SYS_getppid) <= 0;
}

static int asks_five_times(struct brood_job *job)
{
	int r = 0;

	(void)job;
	for (int i = 0; i < TAME_MAX; i++)
		r |= syscall(SYS_getppid) <= 0;
	return r;
}

static int asks_six_times(struct brood_job *job) { return asks_five_times(job) || asks_once(job); }

static int opens_and_closes(struct brood_job *job)
{
	int fd = open("/dev/zero", O_RDONLY);
	char c = 1;

	(void)job;
	return read(fd, &c, 1) != 1 || c != 0 || close(fd) < 0;
}

static int talks_to_itself(struct brood_job *job)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)job;
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || send(fd, "", 1, 0) >= 0 || close(fd) < 0;
}

static int waits(struct brood_job *job)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	uint32_t word = 0;

	(void)job;
	return nanosleep(&moment, NULL) || poll(NULL, 0, 1) ||
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, &moment, NULL, 0) != -1 ||
		errno != ETIMEDOUT;
}

static int maps(struct brood_job *job)
{
	char *memory = mmap(
		NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)job;
	memory[1 << 19] = 1;
	return munmap(memory, 1 << 20);
}

static int makes_a_pair(struct brood_job *job)
{
	int fds[2];

	(void)job;
	return pipe(fds) || close(fds[0]) || close(fds[1]);
}

static void who(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	static brood_fn *quiet[] = { leaves_nothing, asks_once, asks_five_times, opens_and_closes,
		talks_to_itself, waits, maps };
	static brood_fn *looked[] = { asks_six_times, makes_a_pair };

	brood = pool_start(&options);
	for
		EACH_PATH(p)
		{
			expect_left(on_path(makes_looks_known, paths[p], 0, 0), BROOD_LEFT_UMASK);
			for (int round = 0; round < 3; round++) {
				for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
					struct brood_verdict v = on_path(quiet[i], paths[p], 0, 0);

					CHECK_EQ(v.code, 0);
					CHECK_MSG(v.left == 0, "job %zu: left 0x%x", i, v.left);
				}
				for (size_t i = 0; i < sizeof looked / sizeof looked[0]; i++)
					expect_left(on_path(looked[i], paths[p], 0, 0),
						BROOD_LEFT_UMASK);
			}
		}
	pool_stop(brood);
}

static int is_watched(struct brood_job *job)
{
	(void)job;
	return syscalls_watched ? 1 : 0;
}
static void who_if_watched(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	bool watched;

	brood = pool_start(&options);
	watched = on_path(is_watched, 0, 0, 0).code;
	pool_stop(brood);
	atomic_store((atomic_int *)case_shared(), watched);
}
Test(residue, no_look_after_harmless_calls)
{
	case_run(who_if_watched, 20000);
	if (!atomic_load((atomic_int *)case_shared()))
		cr_skip_test("no system call dispatch here: all jobs are looked after");
	case_run(who, 60000);
}

/* ---- the watch goes on ---- */

/* A function that calls much is not watched for a while; when it calls little again, it is. */
static void tries_again(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	int quiet = 0;

	brood = pool_start(&options);
	expect_left(on_path(makes_looks_known, BROOD_PATH_LEASE, 0, 0), BROOD_LEFT_UMASK);
	for (int i = 0; i < 40; i++)
		expect_left(on_path(asks, BROOD_PATH_LEASE, 0, 9), BROOD_LEFT_UMASK);
	for (int i = 0; i < 600 && quiet < 10; i++)
		quiet += on_path(asks, BROOD_PATH_LEASE, 0, 1).left == 0;
	CHECK_EQ(quiet, 10);
	pool_stop(brood);
}
Test(residue, a_function_that_becomes_quiet_is_watched_again)
{
	case_run(who_if_watched, 20000);
	if (!atomic_load((atomic_int *)case_shared()))
		cr_skip_test("no system call dispatch here: all jobs are looked after");
	case_run(tries_again, 60000);
}
