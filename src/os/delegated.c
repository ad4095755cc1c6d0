/* SPDX-License-Identifier: MIT */
/*
 * delegated.c - see delegated.h. The lock on the folder says that a brood has the cgroup. It goes
 * with the supervisor: all other processes close the fd at their birth. So whoever gets the lock
 * knows that leaves which are there already belong to a supervisor that has ended.
 */
#define _GNU_SOURCE
#include "delegated.h"
#include "leaf.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static bool has_mark(int fd, const char *name)
{
	char value[4] = "";

	return fgetxattr(fd, name, value, sizeof value - 1) == 1 && value[0] == '1';
}

/*
 * Older systemd puts only the mark "trusted.delegate" there, which nobody but root can read; but it
 * makes the unit's user the owner. A user's own service manager owns all cgroups that it makes: so
 * the owner says something only where the cgroup above has another one.
 */
static bool is_handed_over(int fd)
{
	struct stat own, above;

	return geteuid() != 0 && getenv("INVOCATION_ID") && fstat(fd, &own) == 0 &&
		own.st_uid == geteuid() && fstatat(fd, "..", &above, 0) == 0 &&
		above.st_uid != own.st_uid && faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

static bool is_delegated(int fd)
{
	return has_mark(fd, "user.delegate") || has_mark(fd, "trusted.delegate") ||
		is_handed_over(fd);
}

static bool is_alone(int fd)
{
	pid_t pids[2] = { 0 };

	return leaf_pids(fd, pids, ARRAY_SIZE(pids)) == 1 && pids[0] == getpid();
}

static bool is_pools(const char *name)
{
	return strncmp(name, DELEGATED_POOL, sizeof DELEGATED_POOL - 1) == 0;
}

static void kill_one(void *unused, int parent_fd, const char *name)
{
	int fd = is_pools(name) ? leaf_open(parent_fd, name) : -1;

	(void)unused;
	if (fd >= 0)
		leaf_kill(fd);
	close_fd(fd);
}

static void remove_one(void *unused, int parent_fd, const char *name)
{
	(void)unused;
	if (is_pools(name))
		leaf_remove(parent_fd, name);
}

void delegated_remove_pools(const struct delegated *d) { leaf_each(d->fd, remove_one, NULL); }

/* Moves this process down. Returns 0 or -errno; then the process is where it was. */
static int move(int fd)
{
	_cleanup_close_ int leaf = leaf_open(fd, DELEGATED_SUPERVISOR);
	int r = leaf < 0 ? leaf : leaf_join(leaf);

	if (r < 0)
		leaf_remove(fd, DELEGATED_SUPERVISOR);
	return r;
}

static enum delegated_state take(int fd, int *ret_error)
{
	if (!is_delegated(fd))
		return DELEGATED_NOT;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_alone(fd))
		return DELEGATED_SHARED;
	*ret_error = move(fd);
	if (*ret_error < 0)
		return DELEGATED_REFUSED;
	leaf_each(fd, kill_one, NULL);
	leaf_each(fd, remove_one, NULL);
	return DELEGATED_TAKEN;
}

void delegated_take(struct delegated *ret)
{
	struct delegated d = { .state = DELEGATED_NO_TREE, .fd = -1 };
	char folder[PATH_MAX];

	*ret = d;
	if (cgroup_folder("", folder, sizeof folder, d.group) < 0)
		return;
	d.fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd >= 0)
		d.state = take(d.fd, &d.error);
	if (d.state != DELEGATED_TAKEN)
		d.fd = close_fd(d.fd);
	*ret = d;
}

/*
 * A cgroup takes no process while it has controllers for those below. They are taken away first,
 * one by one, as the kernel refuses all of a line where it refuses one word.
 */
void delegated_give_back(struct delegated *d)
{
	if (d->fd < 0)
		return;
	delegated_remove_pools(d);
	leaf_write(d->fd, "cgroup.subtree_control", "-memory");
	leaf_write(d->fd, "cgroup.subtree_control", "-pids");
	leaf_join(d->fd);
	leaf_remove(d->fd, DELEGATED_SUPERVISOR);
	d->fd = close_fd(d->fd);
}
