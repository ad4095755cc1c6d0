/* SPDX-License-Identifier: MIT */
/*
 * leaf.h - cgroups (version 2) below the one that is ours (os/delegated.h). A leaf has processes,
 * or leaves below it, one for each worker. All calls allocate no memory, and none waits for a
 * process.
 */
#ifndef BROOD_OS_LEAF_H
#define BROOD_OS_LEAF_H

#include "../base/base.h"

#define LEAF_NAME 64 /* the longest name, with its NUL */

/*
 * Makes the cgroup `name`, and opens its folder (O_PATH). Returns the fd or -errno. leaf_make():
 * -EEXIST where it is there already; leaf_open() opens it then, too.
 */
int leaf_make(int parent_fd, const char *name);
int leaf_open(int parent_fd, const char *name);
int leaf_join(int leaf_fd); /* moves this process, which has one thread, into the leaf */
/* Writes to a file of the leaf, such as "memory.max". Returns 0 or -errno. */
int leaf_write(int leaf_fd, const char *file, const char *text);
/* Reads as much of the file as fits, and puts a NUL behind it. Returns the bytes or -errno. */
ssize_t leaf_read(int leaf_fd, const char *file, char *text, size_t size);
/* The number behind `key` in a file such as memory.events. -ENODATA: there is no such key. */
int leaf_value(int leaf_fd, const char *file, const char *key, uint64_t *ret_value);
/*
 * Sends SIGKILL to all processes in the leaf and below, also to those that are just being made.
 * -ENOENT: the kernel is older than 5.14. A trap: let no process be born later in a leaf that was
 * killed. Some kernels (6.18 is one) kill each that clone3() makes there.
 */
int leaf_kill(int leaf_fd);
/* True: a process is in the leaf or below it. False, too, where the kernel does not say. */
bool leaf_is_populated(int leaf_fd);
/* Lists processes of this leaf alone. Returns how many (at most max), or -errno. */
int leaf_pids(int leaf_fd, pid_t *pids, size_t max);
/*
 * Removes the cgroup `name` and those below it. -EBUSY: a process is still there; 0, too: there is
 * no such cgroup.
 */
int leaf_remove(int parent_fd, const char *name);
/* Calls `each` for every cgroup directly below. Returns 0 or -errno. */
int leaf_each(
	int parent_fd, void (*each)(void *context, int parent_fd, const char *name), void *context);

#endif
