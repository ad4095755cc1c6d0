/* SPDX-License-Identifier: MIT */
/*
 * siblings.c - a process that makes children of its own parent: whose they are, what the kernel
 * writes, and what becomes of them when their maker is killed.
 */
#include "kernel.h"

#include <linux/sched.h>

TestSuite(kernel_siblings, .timeout = 120);

static enum process_spawn ways[] = { PROCESS_CLONE3, PROCESS_CLONE };

struct sibling {
	_Atomic int32_t pid;
	atomic_int parent, seen;
};

/* Makes a sibling, which looks at what the kernel wrote, and is killed without waiting for it. */
static void __attribute__((noreturn)) make_sibling(enum process_spawn way, struct sibling *s)
{
	enum process_spawn used = way;
	pid_t pid = process_spawn_sibling(&used, -1, &s->pid);

	if (pid == 0) {
		atomic_store(&s->seen, atomic_load(&s->pid));
		CHECK_EQ(syscall(SYS_gettid), getpid());
		atomic_store(&s->parent, getppid());
		_exit(7);
	}
	CHECK_GT(pid, 0);
	CHECK_EQ(pid, atomic_load(&s->pid));
	CHECK_EQ(used, way);
	CHECK_EQ(waitpid(pid, NULL, __WALL), -1); /* it is the parent's to wait for */
	raise(SIGKILL);
	_exit(1);
}

static void siblings(void)
{
	struct sibling *s = case_shared();
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct process_exit end;
		enum process_spawn way = PROCESS_CLONE3;
		int pidfd, sibling_fd;
		pid_t maker;

		memset(s, 0, sizeof *s);
		maker = process_spawn(&way, &pidfd);
		CHECK_GE(maker, 0);
		if (maker == 0)
			make_sibling(ways[i], s);
		CHECK(readable(pidfd, SHORT_MS));
		CHECK_EQ(process_wait(maker, false, &end), 1);
		CHECK_EQ(end.code, CLD_KILLED);
		close(pidfd);
		/* its maker has ended, and its parent opens a pidfd by its number */
		sibling_fd = process_pidfd_open(atomic_load(&s->pid));
		CHECK_GE(sibling_fd, 0);
		CHECK(readable(sibling_fd, SHORT_MS));
		close(sibling_fd);
		CHECK_EQ(sigpending(&set), 0);
		CHECK(!sigismember(&set, SIGCHLD)); /* it has its maker's exit signal: none */
		CHECK_EQ(process_wait(atomic_load(&s->pid), false, &end), 1);
		CHECK_EQ(end.status, 7);
		CHECK_EQ(atomic_load(&s->seen), atomic_load(&s->pid));
		CHECK_EQ(atomic_load(&s->parent), getpid());
	}
}
Test(kernel_siblings, a_sibling_is_the_parents_child)
{
	NEEDS_CALL(SYS_pidfd_open, 0, 0);
	NEEDS_CALL(SYS_clone3, NULL, 0);
	case_run(siblings, 20000);
}

static void no_siblings(void)
{
	enum process_spawn way = PROCESS_AUTO;
	_Atomic int32_t pid = 0;

	refuse_if(SYS_clone, CLONE_PARENT, EPERM);
	refuse(SYS_clone3, ENOSYS);
	CHECK_EQ(process_spawn_sibling(&way, -1, &pid), -ENOSYS);
	CHECK_EQ(way, PROCESS_AUTO);
	way = PROCESS_FORK;
	CHECK_EQ(process_spawn_sibling(&way, -1, &pid), -ENOSYS);
	CHECK_EQ(atomic_load(&pid), 0);
}
Test(kernel_siblings, siblings_may_be_refused)
{
	NEEDS_FILTERS();
	case_run(no_siblings, 20000);
}
