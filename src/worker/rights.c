/* SPDX-License-Identifier: MIT */
/*
 * rights.c - see rights.h. The order matters: CPUs, priorities, limits and groups may need
 * privileges, which the change of the user takes away: so they come before it. The last step
 * forbids new privileges.
 *
 * Trap: a change of the user clears PDEATHSIG (main.c sets it again). It also takes the process's
 * own files below /proc away from it; os/self.h counts without them.
 */
#define _GNU_SOURCE
#include "rights.h"

#include "../base/base.h"
#include "../os/proc.h"

#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_cpus(const struct brood_rights *r)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (size_t i = 0; i < r->cpus_count; i++)
		CPU_SET((size_t)r->cpus[i], &cpus);
	return r->cpus_count > 0 && sched_setaffinity(0, sizeof cpus, &cpus) < 0 ? -errno : 0;
}

static int set_scheduler(const struct brood_rights *r)
{
	const struct sched_param param = { .sched_priority = r->priority };

	return r->set & BROOD_RIGHTS_SCHEDULER && sched_setscheduler(0, r->policy, &param) < 0
		? -errno
		: 0;
}

static int set_nice(const struct brood_rights *r)
{
	return r->set & BROOD_RIGHTS_NICE && setpriority(PRIO_PROCESS, 0, r->nice) < 0 ? -errno : 0;
}

static int set_oom(const struct brood_rights *r)
{
	return r->set & BROOD_RIGHTS_OOM ? proc_set_oom_score_adj(r->oom_score_adj) : 0;
}

static int set_limits(const struct brood_rights *r)
{
	for (size_t i = 0; i < r->limits_count; i++) {
		const struct rlimit limit = { (rlim_t)r->limits[i].soft,
			(rlim_t)r->limits[i].hard };

		if (setrlimit((__rlimit_resource_t)r->limits[i].resource, &limit) < 0)
			return -errno;
	}
	return 0;
}

static int set_groups(const struct brood_rights *r)
{
	return r->set & BROOD_RIGHTS_GROUPS && setgroups(r->groups_count, r->groups) < 0 ? -errno
											 : 0;
}

static int set_gid(const struct brood_rights *r)
{
	return r->set & BROOD_RIGHTS_GID && setresgid(r->gid, r->gid, r->gid) < 0 ? -errno : 0;
}

static int set_uid(const struct brood_rights *r)
{
	return r->set & BROOD_RIGHTS_UID && setresuid(r->uid, r->uid, r->uid) < 0 ? -errno : 0;
}

static int set_umask(const struct brood_rights *r)
{
	if (r->set & BROOD_RIGHTS_UMASK)
		umask((mode_t)r->umask);
	return 0;
}

static int set_no_new_privs(const struct brood_rights *r)
{
	return r->set & BROOD_RIGHTS_NO_NEW_PRIVS && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0
		? -errno
		: 0;
}

int rights_take(const struct brood_rights *rights, const char **ret_what)
{
	static const struct {
		int (*set)(const struct brood_rights *r);
		const char *what;
	} steps[] = {
		{ set_cpus, "cpus" },
		{ set_scheduler, "policy" },
		{ set_nice, "nice" },
		{ set_oom, "oom_score_adj" },
		{ set_limits, "limits" },
		{ set_groups, "groups" },
		{ set_gid, "gid" },
		{ set_uid, "uid" },
		{ set_umask, "umask" },
		{ set_no_new_privs, "no_new_privs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i].set(rights);

		if (r < 0) {
			*ret_what = steps[i].what;
			return r;
		}
	}
	return 0;
}
