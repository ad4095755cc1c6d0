/* SPDX-License-Identifier: MIT */
/*
 * probe.c - tries the calls that a filter of a container may refuse. What is refused to this
 * program is refused to one that is started in the same place.
 */
#include "doctor.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0: it works; or errno */
static int try_clone3(void)
{
	int pidfd = -1, status;
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD
	};
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno;
	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	close(pidfd);
	return 0;
}

static int try_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0), r = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0)
		r = errno;
	close(fd);
	return r;
}

void check_calls(const struct patient *p, struct findings *f)
{
	int r;

	if (p->where.root[0])
		return;
	if ((r = try_clone3()) != 0)
		findings_add(f, NOTE, "clone3",
			"a seccomp profile of the container, or a SystemCallFilter=, that allows "
			"clone3",
			"clone3() is refused here (%s): workers are born by older calls, and not "
			"into a cgroup of their own",
			strerror(r));
	if ((r = try_pidfd()) != 0)
		findings_add(f, NOTE, "pidfd",
			"a seccomp profile that allows pidfd_open and pidfd_send_signal; Linux 5.3 "
			"or later",
			"pidfds are refused here (%s): the supervisor looks at all workers when "
			"one has died",
			strerror(r));
}
