/* SPDX-License-Identifier: MIT */
/*
 * cgroups.c - a cgroup for each pool, and for each worker where BROOD_WORKER_CGROUPS is set:
 *
 *   brood-supervisor       supervisor, engine, guard, spawner: os/delegated.c
 *   brood-pool-NAME        the pool's workers, and what their jobs start; or
 *   brood-pool-NAME/S.G    the worker of slot S, generation G, and what its jobs start
 *
 * What is in a cgroup can be killed by one write, however it forks, and without /proc. A pool's
 * cgroup is killed when the pool's workers have ended, or by the guard; a worker's own one when the
 * worker has ended. The cgroup of a worker goes with the worker. If a killed process still is in
 * there, a timer tries again: nobody waits.
 *
 * The trap: in a cgroup that was killed no process can be born any more (os/leaf.h). So the next
 * worker of a slot has a new one. And if a predecessor's cgroup could not be removed yet, the
 * pool's has a number in its name.
 */
#include "cgroups.h"
#include "../os/leaf.h"

#include <inttypes.h>
#include <stdio.h>

/* After pauses up to this one, a cgroup is left to the slot's next worker, or to the end. */
#define AGAIN_MAX_MS 1000u
#define NAMES_MAX    100u /* so many names are tried for a pool's cgroup */

/* ---- what the options ask for ---- */

static const char *asks_for(const struct brood_options *o)
{
	return o->memory_max                             ? "memory_max"
		: o->tasks_max                           ? "tasks_max"
		: (o->flags & BROOD_WORKER_CGROUPS) != 0 ? "BROOD_WORKER_CGROUPS"
							 : NULL;
}

/* Logs once why this brood has no cgroups, if an option asks for one. */
static void say_none(struct supervisor *s)
{
	const struct delegated *d = s->config.delegated;
	char why[CGROUP_NAME + 160];
	const char *what = NULL;

	for_each_pool(pool, s) what = what ? what : asks_for(pool->options);
	if (!what)
		return;
	if (d->state == DELEGATED_NO_TREE)
		snprintf(why, sizeof why,
			"no cgroup of version 2 can be seen here: mount /sys/fs/cgroup, or boot "
			"without cgroups of version 1");
	else if (d->state == DELEGATED_NOT)
		snprintf(why, sizeof why,
			"the cgroup %s is not delegated to this program: write Delegate=memory "
			"pids into the systemd unit, without DelegateSubgroup=",
			d->group);
	else if (d->state == DELEGATED_SHARED)
		snprintf(why, sizeof why,
			"other processes are in the cgroup %s: let none be started there before "
			"brood_start()",
			d->group);
	else
		snprintf(why, sizeof why, "in the cgroup %s the kernel refused a step: %s",
			d->group, strerror(-d->error));
	plain_log(s, BROOD_NOTICE, BROOD_EVENT_RESOURCE, "%s has no effect, and all else works: %s",
		what, why);
}

/* Lets the cgroups below have the controller. Returns 0 or -errno; -ENODEV: it is not there. */
static int enable(int fd, const char *controller)
{
	char text[16];
	int r;

	snprintf(text, sizeof text, "+%s", controller);
	r = leaf_write(fd, "cgroup.subtree_control", text);
	return r == -EINVAL || r == -ENOENT ? -ENODEV : r;
}

static void say_refused(struct pool *pool, const char *option, const char *controller, int error)
{
	const char *group = pool->supervisor->config.delegated->group;

	if (error == -ENODEV)
		pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RESOURCE,
			"%s has no effect: the cgroup %s has no controller \"%s\": write "
			"Delegate=memory pids into the systemd unit",
			option, group, controller);
	else
		pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RESOURCE,
			"%s has no effect: in the cgroup %s the kernel refused it: %s", option,
			group, strerror(-error));
}

/* One limit of a pool: its option, its controller and the file. */
struct limit {
	const char *option, *controller, *file;
	uint64_t value;
};

static int set_limit(int fd, const struct limit *l)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, l->value);
	return leaf_write(fd, l->file, text);
}

/* True: the limit can be had. Where each worker has a cgroup, the limit is set at each birth. */
static bool prepare_limit(struct pool *pool, const struct limit *l)
{
	int r;

	if (l->value == 0)
		return false;
	r = enable(pool->supervisor->config.delegated->fd, l->controller);
	if (r == 0)
		r = pool->cgroup.per_worker ? enable(pool->cgroup.fd, l->controller)
					    : set_limit(pool->cgroup.fd, l);
	if (r < 0)
		say_refused(pool, l->option, l->controller, r);
	return r == 0;
}

static struct limit memory_limit(const struct pool *pool)
{
	return (struct limit){ "memory_max", "memory", "memory.max", pool->options->memory_max };
}

static struct limit tasks_limit(const struct pool *pool)
{
	return (struct limit){ "tasks_max", "pids", "pids.max", pool->options->tasks_max };
}

static const char *name_of_pool(const struct pool *pool, char name[LEAF_NAME])
{
	if (pool->cgroup.again == 0)
		snprintf(name, LEAF_NAME, "%s%s", DELEGATED_POOL, pool->setup->name);
	else
		snprintf(name, LEAF_NAME, "%s%s+%u", DELEGATED_POOL, pool->setup->name,
			pool->cgroup.again);
	return name;
}

static int make_pools(struct pool *pool, char name[LEAF_NAME])
{
	const int parent = pool->supervisor->config.delegated->fd;
	int fd;

	for (; pool->cgroup.again < NAMES_MAX; pool->cgroup.again++) {
		fd = leaf_make(parent, name_of_pool(pool, name));
		if (fd != -EEXIST)
			return fd;
	}
	return -EEXIST;
}

static void begin_pool(struct pool *pool)
{
	const struct limit memory = memory_limit(pool), tasks = tasks_limit(pool);
	char name[LEAF_NAME];
	int fd = make_pools(pool, name);

	if (fd < 0) {
		pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RESOURCE,
			"the pool has no cgroup of its own: %s could not be made: %s", name,
			strerror(-fd));
		return;
	}
	pool->cgroup.fd = fd;
	pool->cgroup.per_worker = (pool->options->flags & BROOD_WORKER_CGROUPS) != 0;
	pool->cgroup.memory = prepare_limit(pool, &memory);
	pool->cgroup.tasks = prepare_limit(pool, &tasks);
}

/* How many processes of this cgroup the kernel has killed for want of memory. */
static uint64_t oom_kills(int fd)
{
	uint64_t count = 0;

	if (leaf_value(fd, "memory.events.local", "oom_kill", &count) == -ENOENT)
		leaf_value(fd, "memory.events", "oom_kill", &count); /* before Linux 5.2 */
	return count;
}

void cgroups_begin(struct supervisor *s)
{
	const struct delegated *d = s->config.delegated;

	if (d->state != DELEGATED_TAKEN) {
		say_none(s);
		return;
	}
	oom_begin(&s->cgroups.oom, oom_kills(d->fd));
	for_each_pool(pool, s) begin_pool(pool);
}

size_t cgroups_list(const struct supervisor *s, int *ret_fds)
{
	size_t count = 0;

	for_each_pool(pool, s) if (pool->cgroup.fd >= 0) ret_fds[count++] = pool->cgroup.fd;
	return count;
}

/* ---- a worker's cgroup ---- */

static const char *name_of(const struct slot *slot, uint32_t generation, char name[LEAF_NAME])
{
	snprintf(name, LEAF_NAME, "%u.%u", slot->number, generation);
	return name;
}

int cgroups_for_birth(struct slot *slot, int *ret_fd)
{
	const struct pool *pool = slot->pool;
	const struct pool_cgroup *c = &pool->cgroup;
	const struct limit memory = memory_limit(pool), tasks = tasks_limit(pool);
	char name[LEAF_NAME];
	int fd, r = 0;

	if (!c->per_worker) {
		*ret_fd = c->fd;
		return 0;
	}
	fd = leaf_open(c->fd, name_of(slot, slot->generation, name));
	if (fd < 0)
		return fd;
	if (c->memory)
		r = set_limit(fd, &memory);
	if (r == 0 && c->tasks)
		r = set_limit(fd, &tasks);
	if (r < 0)
		close_fd(fd);
	else
		*ret_fd = fd;
	return r;
}

void cgroups_birth_done(const struct slot *slot, int fd)
{
	if (slot->pool->cgroup.per_worker)
		close_fd(fd);
}

/*
 * The kernel counts the kill in the cgroup to which the worker's memory belongs: the lowest one
 * that has the controller.
 */
bool cgroups_was_oom(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;
	struct pool_cgroup *c = &slot->pool->cgroup;
	struct oom own = { 0 };
	char name[LEAF_NAME];
	bool was;
	int fd;

	if (c->fd < 0)
		return false;
	if (!c->memory)
		return oom_claim(&s->cgroups.oom, oom_kills(s->config.delegated->fd), now_ns());
	if (!c->per_worker)
		return oom_claim(&c->oom, oom_kills(c->fd), now_ns());
	fd = leaf_open(c->fd, name_of(slot, slot->generation, name));
	was = fd >= 0 && oom_claim(&own, oom_kills(fd), now_ns());
	close_fd(fd);
	return was;
}

static void try_again(struct supervisor *s)
{
	struct cgroups *c = &s->cgroups;

	if (timer_running(&c->again) || c->pause_ms > AGAIN_MAX_MS)
		return;
	c->pause_ms = c->pause_ms ? 2 * c->pause_ms : RETRY_MS;
	timer_set(&s->loop, &c->again, time_after_ms(now_ns(), c->pause_ms));
}

/*
 * Removes the cgroup of a worker of the slot. If it is not empty, it is noted for later. A slot has
 * one such note: should two workers in a row leave one, the first stays until the pool's end.
 */
static void remove_worker(struct slot *slot, uint32_t generation)
{
	struct supervisor *s = slot->pool->supervisor;
	char name[LEAF_NAME];

	if (leaf_remove(slot->pool->cgroup.fd, name_of(slot, generation, name)) == 0)
		return;
	slot->strays.cgroup.generation = generation;
	list_remove(&slot->strays.cgroup.left);
	list_append(&slot->strays.cgroup.left, &s->cgroups.left);
	try_again(s);
}

void cgroups_worker_ended(struct slot *slot)
{
	char name[LEAF_NAME];
	int fd;

	if (!slot->pool->cgroup.per_worker)
		return;
	fd = leaf_open(slot->pool->cgroup.fd, name_of(slot, slot->generation, name));
	if (fd >= 0)
		leaf_kill(fd);
	close_fd(fd);
	remove_worker(slot, slot->generation);
}

void cgroups_again_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, cgroups.again);
	struct list left;

	(void)now;
	list_init(&left);
	list_for_each_safe(l, tmp, &s->cgroups.left) {
		list_remove(l);
		list_append(l, &left);
	}
	list_for_each_safe(l, tmp, &left) {
		struct slot *slot = container_of(l, struct slot, strays.cgroup.left);

		list_remove(l);
		remove_worker(slot, slot->strays.cgroup.generation);
	}
	if (list_empty(&s->cgroups.left))
		s->cgroups.pause_ms = 0;
}

/* ---- the end ---- */

/* Workers that cannot die are told apart elsewhere (undead.c): nobody waits for them here. */
uint32_t cgroups_kill_left(struct supervisor *s)
{
	uint32_t left = 0;

	for_each_pool(pool, s)
	{
		if (pool->cgroup.fd < 0 || !leaf_is_populated(pool->cgroup.fd))
			continue;
		if (leaf_kill(pool->cgroup.fd) == 0)
			left += pool->slots.counts[SLOT_UNDEAD] == 0;
	}
	return left;
}

void cgroups_remove(struct supervisor *s)
{
	char name[LEAF_NAME];

	timer_stop(&s->loop, &s->cgroups.again);
	for_each_pool(pool, s)
	{
		if (pool->cgroup.fd < 0)
			continue;
		if (leaf_remove(s->config.delegated->fd, name_of_pool(pool, name)) == 0)
			pool->cgroup.fd = close_fd(pool->cgroup.fd);
	}
	/* A predecessor's process may still have been dying when its cgroup was to be removed. */
	if (s->config.delegated->fd >= 0)
		delegated_remove_pools(s->config.delegated);
}

void cgroups_end(struct supervisor *s) { delegated_give_back(s->config.delegated); }
