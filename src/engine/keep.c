/* SPDX-License-Identifier: MIT */
/*
 * keep.c - kept fds (pool/kept.h) in the engine: brood_keep() and brood_kept(). The engine has a
 * table of its own, with duplicates of its own: so asking for a file makes no round trip to the
 * supervisor.
 */
#include "engine_root.h"
#include "out.h"
#include "unsent.h"
#include "wait.h"

#include "../os/closing.h"
#include <fcntl.h>

static int fail_full(const struct kept *k)
{
	return fail_with(-ENOSPC, "brood_keep: %u fds are kept, and there is room for no more: %s",
		k->count,
		k->room < KEPT_MAX ? "raise the hard RLIMIT_NOFILE (LimitNOFILE=), or forget one "
				     "(fd -1)"
				   : "forget one (fd -1)");
}

/* Tells the supervisor. 0: it has been told; 1: the message waits for room in the socket. */
static int send(struct brood *b, const char *name, int fd)
{
	struct frame f;
	int r;

	if (b->run_here) /* inline mode: there is no supervisor */
		return 0;
	frame_begin(&f, MESSAGE_KEEP);
	memcpy(f.asked.keep.name, name, strlen(name));
	if (fd >= 0)
		f.fds[f.fds_count++] = fd;
	r = out_send(b, &f, 0, 0);
	return r < 0 ? out_failed(b, r, "brood_keep: telling the supervisor") : r;
}

static int set(struct brood *b, const char *name, int fd, int *ret_old)
{
	struct kept *k = &b->kept;
	int r, count;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	if (fd >= 0 && !kept_has_room(k, name))
		return fail_full(k);
	r = send(b, name, fd);
	if (r < 0)
		return r;
	count = kept_set(k, name, fd, ret_old);
	if (r == 1) {
		unsent_drop_older(b);
		wait_for_room(b);
	}
	return count;
}

int engine_keep(struct brood *b, const char *name, int fd)
{
	VISIT(b);
	int copy = fd == -1 ? -1 : fds_dup_above(fd, 3), old[KEPT_MAX], r;

	if (fd != -1 && copy < 0)
		return copy == -EBADF
			? fail_with(-EBADF,
				  "brood_keep: fd %d is not open (-1 would forget the name)", fd)
			: fail_system(copy, "brood_keep: a duplicate of the fd");
	engine_lock(b);
	r = set(b, name, copy, old);
	engine_unlock(b);
	if (r < 0) {
		close_fd(copy);
		return r;
	}
	while (r > 0)
		closing_fd(old[--r]);
	return 0;
}

static int duplicate_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int copy = fds_dup_above(fds[i], 3);

		if (copy < 0) {
			while (i > 0)
				close_fd(fds[--i]);
			return copy;
		}
		fds[i] = copy;
	}
	return 0;
}

int engine_kept(struct brood *b, const char *name, int *ret_fds, size_t room)
{
	VISIT(b);
	int fds[KEPT_MAX], r;
	uint32_t count;
	size_t got;

	engine_lock(b);
	count = kept_find(&b->kept, name, fds, KEPT_MAX);
	got = MIN((size_t)count, room);
	r = duplicate_all(fds, got);
	engine_unlock(b);
	if (r < 0)
		return fail_system(r, "brood_kept: duplicates of the fds");
	if (got > 0)
		memcpy(ret_fds, fds, got * sizeof *fds);
	return (int)count;
}
