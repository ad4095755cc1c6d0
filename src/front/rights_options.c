/* SPDX-License-Identifier: MIT */
/* rights_options.c - see rights_options.h. */
#define _GNU_SOURCE
#include "rights_options.h"

#include "../base/base.h"
#include "../base/options.h"
#include "../engine/engine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#define GROUPS_MAX 65536u
#define LIMITS_MAX 32u
#define SET_KNOWN  ((BROOD_RIGHTS_NO_NEW_PRIVS << 1) - 1)
/* The size in the first released version: a caller's struct is never smaller. */
#define SIZE_FIRST \
	(offsetof(struct brood_rights, reserved) + sizeof((struct brood_rights *)0)->reserved)

#define INVALID(...) (engine_error("brood_start: " __VA_ARGS__), -EINVAL)

/* Checks an array, and how many entries it may have. */
static int check_array(
	const char *where, const char *name, const void *array, size_t count, size_t most)
{
	if (count > most)
		return INVALID("%s%s_count is %zu: at most %zu", where, name, count, most);
	if (count > 0 && !array)
		return INVALID("%s%s is NULL, but %s_count is %zu", where, name, name, count);
	return 0;
}

/*
 * A value without its bit in `set` is a mistake: the program would believe that its workers have,
 * say, this uid, but they would run as root.
 */
static int check_set(const struct brood_rights *r, const char *where)
{
	const struct {
		uint32_t bit;
		bool given;
		const char *field, *name;
	} all[] = {
		{ BROOD_RIGHTS_UID, r->uid != 0, "uid", "UID" },
		{ BROOD_RIGHTS_GID, r->gid != 0, "gid", "GID" },
		{ BROOD_RIGHTS_GROUPS, r->groups_count > 0, "groups", "GROUPS" },
		{ BROOD_RIGHTS_NICE, r->nice != 0, "nice", "NICE" },
		{ BROOD_RIGHTS_SCHEDULER, r->policy != 0, "policy", "SCHEDULER" },
		{ BROOD_RIGHTS_SCHEDULER, r->priority != 0, "priority", "SCHEDULER" },
		{ BROOD_RIGHTS_OOM, r->oom_score_adj != 0, "oom_score_adj", "OOM" },
		{ BROOD_RIGHTS_UMASK, r->umask != 0, "umask", "UMASK" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].given && !(r->set & all[i].bit))
			return INVALID("%s%s has a value, but set lacks BROOD_RIGHTS_%s, without "
				       "which workers do not take it on",
				where, all[i].field, all[i].name);
	if (r->set & ~(uint32_t)SET_KNOWN)
		return INVALID(
			"%sset has unknown bits: 0x%x", where, r->set & ~(uint32_t)SET_KNOWN);
	return 0;
}

static int check_scheduler(const struct brood_rights *r, const char *where)
{
	int least = sched_get_priority_min(r->policy), most = sched_get_priority_max(r->policy);

	if (!(r->set & BROOD_RIGHTS_SCHEDULER))
		return 0;
	if (least < 0 || most < 0)
		return INVALID("%spolicy is %d: one of SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, "
			       "SCHED_FIFO and SCHED_RR",
			where, r->policy);
	if (r->priority < least || r->priority > most)
		return INVALID("%spriority is %d: %d to %d for this policy", where, r->priority,
			least, most);
	return 0;
}

static int check_numbers(const struct brood_rights *r, const char *where)
{
	if (r->set & BROOD_RIGHTS_UID && r->uid == (uid_t)-1)
		return INVALID("%suid is -1, which is no user", where);
	if (r->set & BROOD_RIGHTS_GID && r->gid == (gid_t)-1)
		return INVALID("%sgid is -1, which is no group", where);
	if (r->set & BROOD_RIGHTS_NICE && (r->nice < -20 || r->nice > 19))
		return INVALID("%snice is %d: -20 to 19", where, r->nice);
	if (r->set & BROOD_RIGHTS_OOM && (r->oom_score_adj < -1000 || r->oom_score_adj > 1000))
		return INVALID("%soom_score_adj is %d: -1000 to 1000", where, r->oom_score_adj);
	if (r->set & BROOD_RIGHTS_UMASK && r->umask > 0777)
		return INVALID("%sumask is 0%o: 0 to 0777", where, r->umask);
	return check_scheduler(r, where);
}

static const char *whose_limit(int resource)
{
	switch (resource) {
	case RLIMIT_DATA: return "worker_memory";
	case RLIMIT_STACK: return "stack_size";
	case RLIMIT_CORE: return "cores_per_minute, or BROOD_NO_CORE";
	default: return NULL;
	}
}

static int check_limits(const struct brood_rights *r, const char *where)
{
	for (size_t i = 0; i < r->limits_count; i++) {
		const struct brood_limit *l = &r->limits[i];

		if (l->resource < 0 || l->resource >= RLIMIT_NLIMITS)
			return INVALID("%slimits[%zu].resource is %d: a RLIMIT_ number", where, i,
				l->resource);
		if (l->resource == RLIMIT_LOCKS)
			return INVALID(
				"%slimits[%zu].resource is RLIMIT_LOCKS, by which the library "
				"marks what workers start: leave it out",
				where, i);
		if (whose_limit(l->resource))
			return INVALID("%slimits[%zu].resource is %d, which the library sets "
				       "itself: use the pool's %s",
				where, i, l->resource, whose_limit(l->resource));
		if (l->reserved)
			return INVALID("%slimits[%zu].reserved is not zero: clear the struct "
				       "before you fill it",
				where, i);
		if (l->soft > l->hard)
			return INVALID("%slimits[%zu]: soft is %llu, more than hard, %llu", where,
				i, (unsigned long long)l->soft, (unsigned long long)l->hard);
	}
	return 0;
}

static int check_cpus(const struct brood_rights *r, const char *where)
{
	for (size_t i = 0; i < r->cpus_count; i++)
		if (r->cpus[i] < 0 || r->cpus[i] >= CPU_SETSIZE)
			return INVALID("%scpus[%zu] is %d: 0 to %d", where, i, r->cpus[i],
				CPU_SETSIZE - 1);
	return 0;
}

static int check(const struct brood_rights *r, const char *where)
{
	int e;

	for (size_t i = 0; i < ARRAY_SIZE(r->reserved); i++)
		if (r->reserved[i])
			return INVALID(
				"%sreserved is not zero: clear the struct before you fill it",
				where);
	if ((e = check_array(where, "groups", r->groups, r->groups_count, GROUPS_MAX)) < 0 ||
		(e = check_array(where, "limits", r->limits, r->limits_count, LIMITS_MAX)) < 0 ||
		(e = check_array(where, "cpus", r->cpus, r->cpus_count, CPU_SETSIZE)) < 0 ||
		(e = check_set(r, where)) < 0 || (e = check_numbers(r, where)) < 0 ||
		(e = check_limits(r, where)) < 0)
		return e;
	return check_cpus(r, where);
}

static const void *put(char **at, const void *array, size_t bytes)
{
	void *to = *at;

	if (bytes == 0)
		return NULL;
	*at += bytes;
	return memcpy(to, array, bytes);
}

int rights_options_take(
	const struct brood_rights *rights, const char *where, struct brood_rights **ret_own)
{
	struct brood_rights r, *own;
	size_t limits, groups, cpus;
	char *at;
	int e;

	if (options_copy(&r, sizeof r, rights, SIZE_FIRST) < 0)
		return INVALID(
			"%ssize is %zu, and this library (%s) knows %zu of it: use { .size = "
			"sizeof(struct brood_rights) }",
			where, rights->size, brood_version(), sizeof r);
	if ((e = check(&r, where)) < 0)
		return e;
	limits = r.limits_count * sizeof *r.limits;
	groups = r.groups_count * sizeof *r.groups;
	cpus = r.cpus_count * sizeof *r.cpus;
	own = malloc(sizeof *own + limits + groups + cpus);
	if (!own) {
		engine_error("brood_start: out of memory");
		return -ENOMEM;
	}
	at = (char *)(own + 1);
	r.limits = put(&at, r.limits, limits);
	r.groups = put(&at, r.groups, groups);
	r.cpus = put(&at, r.cpus, cpus);
	*own = r;
	*ret_own = own;
	return 0;
}
