/* SPDX-License-Identifier: MIT */
#include "surroundings.h"

#include "../base/base.h"
#include "../engine/engine.h"
#include "../wire/ring.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Workers have /dev/null as stdin; the guard has it as stdin, stdout and stderr. */
static int check_null(void)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		r = -errno;
		engine_error(
			"brood_start: /dev/null cannot be opened: %s; workers read it for "
			"stdin: make it in this root directory (mknod -m 666 dev/null c 1 3, or a "
			"bind mount)",
			strerrordesc_np(-r));
		return r;
	}
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return 0;
	engine_error("brood_start: /dev/null is another file: make it anew (mknod -m 666 dev/null "
		     "c 1 3)");
	return -ENODEV;
}

/* The memory that processes share is a file to the kernel, and RLIMIT_FSIZE applies to it. */
static int check_file_size(void)
{
	const size_t need = MAX(sizeof(struct ring_up), sizeof(struct ring_down));
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur >= need)
		return 0;
	engine_error(
		"brood_start: RLIMIT_FSIZE is %llu bytes: memory that engine and workers share "
		"counts as a file, and needs at least %zu (LimitFSIZE=, ulimit -f)",
		(unsigned long long)limit.rlim_cur, need);
	return -EFBIG;
}

/*
 * After unshare(CLONE_NEWPID) or setns() the children of this process live in another PID
 * namespace. There no child could see its parent, and the first child would be PID 1. Until the
 * first child is born, stat() of pid_for_children fails. That counts as another namespace, too.
 */
static int check_pid_namespace(void)
{
	struct stat own, children;

	if (stat("/proc/self/ns/pid", &own) < 0)
		return 0; /* there is no /proc, or the kernel does not tell this */
	if (stat("/proc/self/ns/pid_for_children", &children) == 0 &&
		children.st_ino == own.st_ino && children.st_dev == own.st_dev)
		return 0;
	engine_error(
		"brood_start: unshare(CLONE_NEWPID) or setns() was called: children would be in "
		"another PID namespace than this process; fork() first, and start in the child");
	return -EINVAL;
}

int surroundings_check(void)
{
	int r;

	if ((r = check_null()) < 0 || (r = check_file_size()) < 0)
		return r;
	return check_pid_namespace();
}
