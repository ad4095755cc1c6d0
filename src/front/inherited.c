/* SPDX-License-Identifier: MIT */
#include "inherited.h"

#include "../engine/engine.h"
#include "../os/fds.h"
#include "../pool/passed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define PIDFS_MAGIC_NUMBER 0x50494446

/*
 * The inode number of this process's pidfd, which no other process ever has. 0: this kernel gives
 * all pidfds the same number.
 */
static uint64_t own_pidfd(void)
{
	_cleanup_close_ int fd = -1;
	struct statfs system;
	struct stat st;

#ifdef SYS_pidfd_open
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
#endif
	if (fd < 0 || fstatfs(fd, &system) < 0 || system.f_type != PIDFS_MAGIC_NUMBER ||
		fstat(fd, &st) < 0)
		return 0;
	return st.st_ino;
}

static int look(uint32_t *ret_count)
{
	const struct passed_words words = { .pid = getenv("LISTEN_PID"),
		.pidfd = getenv("LISTEN_PIDFDID"),
		.fds = getenv("LISTEN_FDS"),
		.names = getenv("LISTEN_FDNAMES") };
	const struct passed_self self = { .pid = (uint64_t)getpid(),
		.pidfd = words.pidfd ? own_pidfd() : 0 };
	int r = passed_count(&words, &self);

	*ret_count = r > 0 ? (uint32_t)r : 0;
	return r;
}

void inherited_look(struct inherited *ret)
{
	int r = look(&ret->count);

	ret->ours = r > 0;
	ret->line[0] = '\0';
	if (r < 0)
		snprintf(ret->line, sizeof ret->line,
			"LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES do not fit together: brood_kept() "
			"has none of the files that were passed to this process");
	else if (ret->count > KEPT_MAX)
		snprintf(ret->line, sizeof ret->line,
			"%u files were passed to this process (LISTEN_FDS): brood_kept() has the "
			"first %u",
			ret->count, KEPT_MAX);
	ret->count = MIN(ret->count, KEPT_MAX);
	for (uint32_t i = 0; i < ret->count; i++)
		ret->open[i] = fcntl(PASSED_FIRST + (int)i, F_GETFD) >= 0;
}

/* Duplicates one file, and sets close-on-exec on it. */
static int duplicate(int fd)
{
	int copy = fds_dup_above(fd, 3);

	if (copy >= 0)
		fds_cloexec(fd, true);
	return copy;
}

int inherited_take(const struct inherited *in, struct kept *engine, struct kept *supervisor)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char name[KEPT_NAME_MAX + 1];

	for (uint32_t i = 0; i < in->count; i++) {
		int copy;

		if (!in->open[i])
			continue;
		copy = fds_dup_above(PASSED_FIRST + (int)i, 3);
		if (copy < 0)
			return copy;
		passed_name(names, i, name);
		if (kept_add(engine, name, copy) < 0) {
			close_fd(copy);
			break;
		}
		kept_add(supervisor, name, copy);
	}
	return 0;
}

uint32_t inherited_store_room(void)
{
	const char *text = getenv("FDSTORE");
	unsigned long room;
	char *end;

	if (!text)
		return UINT32_MAX;
	room = strtoul(text, &end, 10);
	return *text == '\0' || *end != '\0' ? UINT32_MAX : (uint32_t)MIN(room, UINT32_MAX);
}

/* -errno: the fds made so far are closed. */
static int find(const struct inherited *in, const char *name, int *ret_fds, size_t room)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char own[KEPT_NAME_MAX + 1];
	int fds[KEPT_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < in->count; i++) {
		int copy;

		passed_name(names, i, own);
		if (!in->open[i] || (name && strcmp(own, name) != 0))
			continue;
		copy = count < room ? duplicate(PASSED_FIRST + (int)i) : -1;
		if (count < room && copy < 0) {
			while (count > 0)
				close_fd(fds[--count]);
			return copy;
		}
		fds[count++] = copy;
	}
	if (MIN(count, room) > 0)
		memcpy(ret_fds, fds, MIN(count, room) * sizeof *fds);
	return (int)count;
}

int inherited_find(const char *name, int *ret_fds, size_t room)
{
	struct inherited in;
	int r;

	inherited_look(&in);
	if (in.line[0] && in.count == 0) {
		engine_error("brood_kept: %s; a service manager sets these variables, and nobody "
			     "else should",
			in.line);
		return -EINVAL;
	}
	r = find(&in, name, ret_fds, room);
	if (r < 0)
		engine_error("brood_kept: no fd is left for a duplicate: raise RLIMIT_NOFILE "
			     "(LimitNOFILE=, ulimit -n)");
	return r;
}

void inherited_close_on_exec(const struct inherited *in)
{
	for (uint32_t i = 0; i < in->count; i++)
		if (in->open[i])
			fds_cloexec(PASSED_FIRST + (int)i, true);
}

void inherited_rename(const struct inherited *in)
{
	char pid[16];

	if (!in->ours)
		return;
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	unsetenv("LISTEN_PIDFDID");
	if (setenv("LISTEN_PID", pid, 1) < 0)
		unsetenv("LISTEN_PID");
}

void inherited_hide(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_PIDFDID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
