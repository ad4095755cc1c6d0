/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_hygiene.c - one worker on lease: what a job left is found, said and put right,
 * whether or not the kernel can tell that a job made no system call; what is not looked for at once
 * costs the worker later; and a worker whose own fds a job has damaged ends without a word to
 * strangers.
 */
#define _GNU_SOURCE
#include "../helpers/residue_jobs.h"
#include "worker_ring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fenv.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(worker_ring_hygiene, .timeout = 120);

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATOR 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(OWN_ALLOCATOR)
/* its allocator takes a refusal for the program's end */
#define MEMORY 0
#else
#define MEMORY 1
#endif

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* With BROOD_DEBUGGING no job is watched for system calls. */
static void start_with(uint32_t flags)
{
	fake_init(&fake);
	fake.options.flags = flags;
	fake_start(&fake);
	fake_grant(&fake, &ring);
}

static void both_ways(void (*body)(uint32_t flags))
{
	body(0);
	body(BROOD_DEBUGGING);
}

static int counts(struct brood_job *job)
{
	(void)job;
	return atomic_fetch_add(marked(), 1);
}

/* ---- put right ---- */

static int blocks(struct brood_job *job)
{
	sigset_t set;

	(void)job;
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1);
	raise(SIGSYS);
	return 0;
}
static int ignores(struct brood_job *job)
{
	(void)job;
	signal(SIGUSR1, SIG_IGN);
	signal(SIGSYS, SIG_IGN);
	return 0;
}
static volatile double zero = 0, one = 1;
static int divides(struct brood_job *job)
{
	(void)job;
	return one / zero > 0 ? 0 : 1;
}
static int opens_and_closes(struct brood_job *job)
{
	(void)job;
	return close(open("/dev/null", O_RDONLY));
}
static int switches_off(struct brood_job *job)
{
	(void)job;
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, 0L, 0L, 0L, 0L) < 0 && errno != EINVAL;
}

static int finds_order(struct brood_job *job)
{
	struct sigaction action;
	sigset_t set;
	mode_t mask;
	char cwd[256];

	(void)job;
	if (fegetround() != FE_TONEAREST || fetestexcept(FE_DIVBYZERO))
		return 1;
	mask = umask(0);
	umask(mask);
	if (mask != 022 || !getcwd(cwd, sizeof cwd) || strcmp(cwd, "/") != 0)
		return 2;
	if (sigprocmask(SIG_BLOCK, NULL, &set) < 0 || sigismember(&set, SIGUSR1) ||
		sigismember(&set, SIGSYS))
		return 3;
	return sigaction(SIGUSR1, NULL, &action) < 0 || action.sa_handler == SIG_IGN ? 4 : 0;
}

static void put_right(uint32_t flags)
{
	static const struct {
		brood_fn *fn;
		uint32_t left;
	} rows[] = {
		{ nothing, 0 },
		{ blocks, BROOD_LEFT_MASK },
		{ leaves_alarm, BROOD_LEFT_TIMERS },
		{ leaves_cwd, BROOD_LEFT_CWD },
		{ leaves_umask, BROOD_LEFT_UMASK },
		{ ignores, BROOD_LEFT_HANDLERS },
		{ rounds_up, 0 },
		{ divides, 0 },
		{ opens_and_closes, 0 },
		{ switches_off, 0 },
		{ nothing, 0 },
	};

	CHECK_EQ(chdir("/"), 0);
	umask(022);
	start_with(flags);
	for (size_t i = 0; i < 3 * sizeof rows / sizeof rows[0]; i++) {
		size_t at = i % (sizeof rows / sizeof rows[0]);
		struct ring_done d;

		fake_push(&ring, rows[at].fn, NULL, 0);
		d = fake_done_raw(&ring);
		CHECK_MSG(d.code == 0 && d.left == rows[at].left && d.flags == 0,
			"row %zu: code %d, left %x, flags %x", at, d.code, d.left, d.flags);
		fake_push(&ring, finds_order, NULL, 0);
		d = fake_done_raw(&ring);
		CHECK_MSG(d.code == 0 && d.left == 0, "after row %zu: code %d, left %x", at, d.code,
			d.left);
	}
	finish();
}
static void put_right_both(void) { both_ways(put_right); }
Test(worker_ring_hygiene, put_right) { case_run(put_right_both, 30000); }

/* ---- costs the worker ---- */

static void exit_hook(void *context)
{
	(void)context;
	atomic_fetch_add(&marked()[1], 1);
}

/* The jobs behind it are not begun; the engine is told before the worker leaves. */
static void costly(uint32_t flags)
{
	static const struct {
		brood_fn *fn;
		uint32_t left;
		int hook;
	} rows[] = { { leaves_thread, BROOD_LEFT_THREADS, 0 }, { leaves_fd, BROOD_LEFT_FDS, 1 } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct message_left left;
		struct ring_done d;

		atomic_store(&marked()[1], 0);
		fake_init(&fake);
		fake.options.flags = flags;
		fake.options.worker_exit = exit_hook;
		fake_start(&fake);
		fake_grant(&fake, &ring);
		fake_ring_job(&ring, nothing, 0);
		fake_entry(&ring, rows[i].fn, NULL, 0);
		fake_entry(&ring, counts, NULL, 0);
		fake_publish(&ring);
		d = fake_done_raw(&ring);
		CHECK_MSG(d.left == rows[i].left && d.flags == DONE_RETIRING,
			"row %zu: left %x, flags %x", i, d.left, d.flags);
		left = fake_left(&ring);
		CHECK_EQ(left.flags, FINISHED_RETIRING);
		CHECK_EQ(left.sequence, d.sequence);
		CHECK_EQ(left.left, rows[i].left);
		CHECK_EQ(fake_exit_code(&fake), 0);
		CHECK_EQ(atomic_load(marked()), 0);
		CHECK_EQ(atomic_load(&marked()[1]), rows[i].hook);
	}
}
static void costly_both(void) { both_ways(costly); }
Test(worker_ring_hygiene, costs_the_worker) { case_run(costly_both, 30000); }

/* A child that ended late is reaped after jobs that did nothing themselves. */
static int has_no_child(struct brood_job *job)
{
	siginfo_t info;

	(void)job;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD ? 0
											     : 1;
}
static void tolerated(uint32_t flags)
{
	struct ring_done d;

	fake_init(&fake);
	fake.options.flags = flags;
	fake.options.tolerate = BROOD_LEFT_CHILDREN | BROOD_LEFT_THREADS;
	fake_start(&fake);
	fake_grant(&fake, &ring);
	fake_push(&ring, leaves_zombie, NULL, 0);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.left, BROOD_LEFT_CHILDREN);
	CHECK_EQ(d.flags, 0);
	do {
		poll(NULL, 0, 1);
		fake_push(&ring, nothing, NULL, 0);
		CHECK_EQ(fake_done_raw(&ring).left, 0);
		fake_push(&ring, has_no_child, NULL, 0);
		d = fake_done_raw(&ring);
	} while (d.code != 0);
	fake_push(&ring, leaves_thread, NULL, 0);
	CHECK_EQ(fake_done_raw(&ring).left, BROOD_LEFT_THREADS);
	fake_push(&ring, nothing, NULL, 0);
	CHECK_EQ(fake_done_raw(&ring).left, 0);
	fake_leave(&ring);
	fake_end(&fake);
}
static void tolerated_both(void) { both_ways(tolerated); }
Test(worker_ring_hygiene, tolerated) { case_run(tolerated_both, 30000); }

/* ---- later ---- */

static uint64_t push_trusted(brood_fn *fn)
{
	fake_entry(&ring, fn, NULL, 0)->job_flags = BROOD_JOB_TRUSTED;
	fake_publish(&ring);
	return ring.published;
}

/*
 * What a trusted job left costs its worker all the same, once it has nothing to do; what is no cost
 * is put right then.
 */
static void trusted(uint32_t flags)
{
	struct message_left left;

	start_with(flags);
	for (int i = 0; i < 20; i++) {
		push_trusted(i % 2 ? leaves_cwd : nothing);
		fake_done(&ring, 0);
	}
	poll(NULL, 0, 20);
	push_trusted(nothing);
	fake_done(&ring, 0);
	push_trusted(leaves_fd);
	fake_done(&ring, 0);
	left = fake_left(&ring);
	CHECK_EQ(left.flags, FINISHED_RETIRING);
	CHECK_EQ(left.left & BROOD_LEFT_FDS, BROOD_LEFT_FDS);
	CHECK_EQ(left.sequence, ring.published);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
static void trusted_both(void) { both_ways(trusted); }
Test(worker_ring_hygiene, trusted_jobs_are_looked_after_later) { case_run(trusted_both, 30000); }

static int opens_and_waits(struct brood_job *job)
{
	int r = leaves_fd(job);

	atomic_store(&marked()[2], 1);
	while (atomic_load(&marked()[2]) == 1)
		poll(NULL, 0, 1);
	return r;
}

/* At the latest when it leaves, or before a job that is not trusted: that one is not begun. */
static void trusted_at_the_end(uint32_t flags)
{
	struct message_left left;

	start_with(flags);
	atomic_store(&marked()[2], 0);
	push_trusted(opens_and_waits);
	CHECK(WAIT_UNTIL(atomic_load(&marked()[2]) == 1, 10000));
	fake_ask_to_leave(&ring);
	atomic_store(&marked()[2], 2);
	CHECK_EQ(fake_left(&ring).flags, FINISHED_RETIRING);
	CHECK_EQ(fake_exit_code(&fake), 0);
	start_with(flags);
	fake_entry(&ring, leaves_fd, NULL, 0)->job_flags = BROOD_JOB_TRUSTED;
	fake_entry(&ring, opens_and_closes, NULL, 0);
	fake_publish(&ring);
	fake_done(&ring, 0);
	left = fake_left(&ring);
	CHECK_EQ(left.flags, FINISHED_RETIRING);
	CHECK_EQ(left.left, BROOD_LEFT_FDS);
	CHECK_EQ(left.sequence, ring.published - 1);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
static void trusted_end_both(void) { both_ways(trusted_at_the_end); }
Test(worker_ring_hygiene, trusted_jobs_at_the_latest) { case_run(trusted_end_both, 30000); }

/* What worker_init had reserved the limit has counted before: touching it takes nothing more. */
static char *reserved;
static int reserves(void *context)
{
	(void)context;
	reserved = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return reserved == MAP_FAILED;
}
static int touches(struct brood_job *job)
{
	(void)job;
	for (size_t i = 0; i < 20 << 20; i += 512)
		reserved[i] = 1;
	return 0;
}
static void memory(void)
{
	struct ring_done d;

	fake_init(&fake);
	fake.options.worker_init = reserves;
	fake.options.worker_memory = 16 << 20;
	fake_start(&fake);
	fake_grant(&fake, &ring);
	fake_ring_job(&ring, nothing, 0);
	fake_push(&ring, touches, NULL, 0);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.code, 0);
	CHECK_EQ(d.left, 0);
	CHECK_EQ(d.flags & DONE_RETIRING, 0);
	fake_ring_job(&ring, nothing, 0);
	fake_leave(&ring);
	fake_end(&fake);
}
Test(worker_ring_hygiene, memory_without_a_call)
{
	if (!MEMORY)
		cr_skip_test("no limits on memory under this sanitizer");
	case_run(memory, 20000);
}

/* ---- the worker's own fds ---- */

static int find(bool wanted(int fd))
{
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && wanted(fd))
			return fd;
	return -1;
}
static bool is_packet(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}
static bool is_side_socket(int fd) { return is_packet(fd) && fd != fake.config.channel_fd; }
static bool is_done_fd(int fd)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, text, sizeof text - 1) > 0 &&
		strcmp(text, "anon_inode:[eventfd]") == 0;
}
static int replace(int fd) { return fd < 0 ? -1 : dup2(1, fd) < 0; }
static int replaces_done_fd(struct brood_job *job)
{
	(void)job;
	return replace(find(is_done_fd));
}
static int replaces_side_socket(struct brood_job *job)
{
	char data[70000] = { 0 };

	return replace(find(is_side_socket)) ||
		brood_job_write(job, data, sizeof data) != sizeof data;
}
static int replaces_channel(struct brood_job *job)
{
	(void)job;
	return replace(fake.config.channel_fd);
}
static int closes_side_socket(struct brood_job *job)
{
	(void)job;
	return close(find(is_side_socket));
}

static void damaged_fds(uint32_t flags)
{
	static brood_fn *const games[] = { replaces_done_fd, replaces_side_socket };
	struct ring_done d;
	char c;
	int out[2];

	CHECK_EQ(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	CHECK_EQ(dup2(out[1], 1), 1);
	for (size_t i = 0; i < sizeof games / sizeof games[0]; i++) {
		start_with(flags);
		atomic_store(&ring.queue->listening, 1); /* it has to tell */
		fake_push(&ring, games[i], NULL, 0);
		CHECK_MSG(fake_exit_code(&fake) == 72, "game %zu", i);
	}
	/* what is not needed is not missed, until it is given back */
	start_with(flags);
	fake_push(&ring, replaces_channel, NULL, 0);
	fake_done_raw(&ring);
	fake_attention(&ring);
	CHECK_EQ(fake_exit_code(&fake), 72);
	start_with(flags);
	fake_push(&ring, closes_side_socket, NULL, 0);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.left, BROOD_LEFT_FDS);
	CHECK_EQ(fake_left(&ring).flags, FINISHED_RETIRING);
	CHECK_EQ(fake_exit_code(&fake), 0);
	CHECK_EQ(read(out[0], &c, 1), -1); /* not a byte to a stranger */
}
static void damaged_both(void) { both_ways(damaged_fds); }
Test(worker_ring_hygiene, fds_damaged_by_a_job) { case_run(damaged_both, 30000); }

/* What a job printed is out before its completion. */
static int prints(struct brood_job *job)
{
	(void)job;
	return printf("printed") != 7;
}
static void printed(void)
{
	char text[64] = "";
	int out[2];

	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	CHECK_EQ(dup2(out[1], 1), 1);
	start_with(0);
	for (int i = 0; i < 5; i++) {
		memset(text, 0, sizeof text);
		fake_ring_job(&ring, prints, 0);
		CHECK_EQ(read(out[0], text, sizeof text - 1), 7);
		CHECK_STR(text, "printed");
	}
	finish();
}
Test(worker_ring_hygiene, what_a_job_printed) { case_run(printed, 20000); }

/*
 * A handed-off job that uses nothing but the library's calls has made no system call of its own:
 * nothing is looked after, and nothing is missed.
 */
static int converses(struct brood_job *job)
{
	char c;

	return brood_job_read(job, &c, 1) == 1 && brood_job_write(job, &c, 1) == 1 &&
			brood_job_reply(job, "!", 1) == 1
		? 0
		: 1;
}
static void handed_off(void)
{
	char text[4];

	fake_init(&fake);
	fake_start(&fake);
	for (int i = 0; i < 50; i++) {
		fake_assign(&fake);
		CHECK_EQ(write(fake.peer, "x", 1), 1);
		fake_run(&fake, converses, NULL, 0);
		CHECK_EQ(fake_read(&fake, text, sizeof text), 2);
		CHECK_EQ(fake_finished(&fake).left, 0);
		CHECK_EQ(fake_job(&fake, i % 2 ? leaves_cwd : leaves_umask).left,
			i % 2 ? BROOD_LEFT_CWD : BROOD_LEFT_UMASK);
	}
	fake_end(&fake);
}
Test(worker_ring_hygiene, handed_off) { case_run(handed_off, 20000); }
