/* SPDX-License-Identifier: MIT */
/*
 * inline_lease.c - inline mode: explicit leases. There is one worker, the caller, and it is always
 * free: so all may have it at once, and what a job leaves in memory is there for the next one by
 * itself.
 */
#define _GNU_SOURCE
#include "inline_internal.h"

#include "../base/options.h"

#include <stdlib.h>
#include <sys/eventfd.h>

struct inline_lease {
	struct inline_brood *brood;
	struct inline_queue *queue;
};

static struct inline_lease *mine_lease(struct brood_lease *l) { return (struct inline_lease *)l; }

struct inline_queue *lease_queue(struct brood_lease *lease) { return mine_lease(lease)->queue; }

static struct inline_lease *lease_free(struct inline_lease *l)
{
	queue_destroy(l->queue);
	free(l);
	return NULL;
}

static struct inline_lease *lease_make(struct inline_brood *b)
{
	struct inline_lease *l = calloc(1, sizeof *l);
	int fd;

	if (!l)
		return NULL;
	l->brood = b;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->queue = fd < 0 ? NULL : queue_make(b, QUEUE_JOBS, fd);
	if (!l->queue) {
		close_fd(fd);
		return lease_free(l);
	}
	return l;
}

static void lease_count(struct inline_brood *b, int by)
{
	pthread_mutex_lock(&b->lock);
	b->stats.leased += (uint32_t)by;
	b->stats.leases += by > 0;
	pthread_mutex_unlock(&b->lock);
}

int inline_lease(
	struct brood *b, const struct brood_lease_options *options, struct brood_lease **ret)
{
	struct brood_lease_options o;
	struct inline_lease *l;
	int r = inline_check_open(mine(b), "brood_lease");

	if (r < 0)
		return r;
	if (options_copy(&o, sizeof o, options, sizeof o) < 0)
		return inline_fail(-EINVAL, "brood_lease",
			"options.size is wrong: set it, { .size = sizeof options }");
	if (!inline_all_zero(o.reserved, ARRAY_SIZE(o.reserved)))
		return inline_fail(-EINVAL, "brood_lease", "options.reserved is not zero");
	errno = ENOMEM;
	l = lease_make(mine(b));
	if (!l)
		return inline_fail(-errno, "brood_lease", "no memory, or no eventfd could be made");
	lease_count(mine(b), 1);
	*ret = (struct brood_lease *)l;
	return 0;
}

void inline_lease_end(struct brood_lease *lease)
{
	lease_count(mine_lease(lease)->brood, -1);
	lease_free(mine_lease(lease));
}

struct brood_queue *inline_lease_queue(struct brood_lease *lease)
{
	return (struct brood_queue *)mine_lease(lease)->queue;
}

int inline_lease_worker(
	struct brood_lease *lease, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation)
{
	struct inline_brood *b = mine_lease(lease)->brood;
	bool stopped;

	pthread_mutex_lock(&b->lock);
	stopped = b->stopped;
	pthread_mutex_unlock(&b->lock);
	if (ret_pid)
		*ret_pid = getpid();
	if (ret_slot)
		*ret_slot = 0;
	if (ret_generation)
		*ret_generation = 1;
	return stopped ? inline_fail(-ESTALE, "brood_lease_worker",
				 "the lease is over: brood_stop() was called")
		       : 0;
}
