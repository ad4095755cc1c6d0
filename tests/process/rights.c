/* SPDX-License-Identifier: MIT */
/* rights.c - who the workers of a pool are, and what they may use. */
#include "limits.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

TestSuite(rights, .timeout = 120);

#define USER  123456u
#define GROUP 123457u

static int start(const struct brood_rights *rights)
{
	const struct brood_pool_options pool = {
		.size = sizeof pool, .name = "main", .rights = rights
	};
	const struct brood_pool_options *pools[] = { &pool };
	struct brood_options options = { .size = sizeof options,
		.workers = 2,
		.pools = pools,
		.pools_count = 1,
		.log = note_log };
	int r = brood_start(&options, &brood);

	if (r == 0)
		CHECK_EQ(brood_wait_ready(brood, (uint32_t)test_scaled(POOL_READY_MS)), 0);
	return r;
}

/* Jobs answer 0 where all is as it was asked for; else the number of what is not. */
static int job_who(struct brood_job *job)
{
	uid_t ids[3], more[3];
	gid_t groups[4];
	int death = 0;

	(void)job;
	if (getresuid(&ids[0], &ids[1], &ids[2]) < 0 || getresgid(&more[0], &more[1], &more[2]) < 0)
		return 1;
	for (int i = 0; i < 3; i++)
		if (ids[i] != USER || more[i] != GROUP)
			return 2 + i;
	if (getgroups(4, groups) != 2 || groups[0] != 7 || groups[1] != 9)
		return 5;
	/* the change of the user has cleared it; the library sets it again */
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGKILL)
		return 6;
	return setuid(0) == 0 ? 7 : 0;
}

static int job_what(struct brood_job *job)
{
	struct rlimit limit;
	cpu_set_t cpus;

	(void)job;
	if (getpriority(PRIO_PROCESS, 0) != 5)
		return 1;
	if (sched_getscheduler(0) != SCHED_BATCH)
		return 2;
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != 4096 || limit.rlim_max != 8192)
		return 3;
	if (getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur != 77)
		return 4;
	if (umask(0) != 027)
		return 5;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) != 1)
		return 6;
	if (sched_getaffinity(0, sizeof cpus, &cpus) < 0 || CPU_COUNT(&cpus) != 1)
		return 7;
	return 0;
}

static int job_oom(struct brood_job *job)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	int adj = -1;

	(void)job;
	if (!file || fscanf(file, "%d", &adj) != 1)
		adj = -1;
	if (file)
		fclose(file);
	return adj == 321 ? 0 : 1;
}

static int job_fsize(struct brood_job *job)
{
	static char bytes[16384];
	FILE *file = tmpfile();

	(void)job;
	if (!file)
		return 1;
	fwrite(bytes, 1, sizeof bytes, file);
	fflush(file);
	return 2;
}

/* The job has one verdict, and the next one has a new worker with the same rights. */
static int job_crashes(struct brood_job *job)
{
	(void)job;
	raise(SIGSEGV);
	return 0;
}

static void another_user(void)
{
	static const uint32_t groups[] = { 7, 9 };
	const struct brood_rights rights = { .size = sizeof rights,
		.set = BROOD_RIGHTS_UID | BROOD_RIGHTS_GID | BROOD_RIGHTS_GROUPS,
		.uid = USER,
		.gid = GROUP,
		.groups = groups,
		.groups_count = 2 };
	struct brood_job_options hasty = { .size = sizeof hasty, .run_ms = 100, .grace_ms = 10 };

	CHECK_MSG(start(&rights) == 0, "%s", brood_error());
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(POOL_CALL(brood, job_who).code, 0);
		CHECK_EQ(POOL_CALL(brood, job_crashes).outcome, BROOD_CRASHED);
	}
	/* the supervisor can still end them */
	CHECK_EQ(pool_call_with(brood, job_sleep_forever, &hasty).outcome, BROOD_TIMED_OUT);
	CHECK_EQ(POOL_CALL(brood, job_who).code, 0);
	pool_stop(brood);
}
Test(rights, another_user)
{
	if (getuid() != 0)
		cr_skip_test("another user is for root");
	case_run(another_user, 60000);
}

#ifndef __SANITIZE_ADDRESS__ /* the sanitizer maps more than the limit */
#define MANY 300
static uint32_t many_groups[MANY];

static int job_takes_too_much(struct brood_job *job)
{
	char *memory = malloc(256 << 20);

	(void)job;
	if (!memory)
		return errno;
	memset(memory, 1, 256 << 20);
	free(memory);
	return 0;
}

/* In /proc the list of groups stands before the figure by which worker_memory is set. */
static void many_groups_and_little_memory(void)
{
	const struct brood_rights rights = { .size = sizeof rights,
		.set = BROOD_RIGHTS_GROUPS,
		.groups = many_groups,
		.groups_count = MANY };
	const struct brood_pool_options pool = {
		.size = sizeof pool, .name = "main", .worker_memory = 64 << 20, .rights = &rights
	};
	const struct brood_pool_options *pools[] = { &pool };
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .pools = pools, .pools_count = 1
	};
	struct brood_verdict v;

	for (uint32_t i = 0; i < MANY; i++)
		many_groups[i] = 1000000000 + i;
	brood = pool_start(&options);
	v = POOL_CALL(brood, job_takes_too_much);
	CHECK_EQ(v.code, ENOMEM);
	verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_MEMORY);
	pool_stop(brood);
}
Test(rights, many_groups_and_little_memory)
{
	if (getuid() != 0)
		cr_skip_test("groups are for root");
	case_run(many_groups_and_little_memory, 60000);
}
#endif

static int first_cpu(void)
{
	cpu_set_t cpus;

	CHECK_EQ(sched_getaffinity(0, sizeof cpus, &cpus), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, &cpus))
			return i;
	return -1;
}

/* None of these needs a privilege, so this runs as nobody, too. */
static void less_of_everything(void)
{
	const int cpu = first_cpu(), own_nice = getpriority(PRIO_PROCESS, 0);
	const struct brood_limit limits[] = {
		{ .resource = RLIMIT_FSIZE, .soft = 4096, .hard = 8192 },
		{ .resource = RLIMIT_NPROC, .soft = 77, .hard = 77 },
	};
	const struct brood_rights rights = { .size = sizeof rights,
		.set = BROOD_RIGHTS_NICE | BROOD_RIGHTS_SCHEDULER | BROOD_RIGHTS_UMASK |
			BROOD_RIGHTS_NO_NEW_PRIVS | BROOD_RIGHTS_OOM,
		.nice = 5,
		.policy = SCHED_BATCH,
		.umask = 027,
		.oom_score_adj = 321,
		.limits = limits,
		.limits_count = 2,
		.cpus = &cpu,
		.cpus_count = 1 };
	struct brood_verdict v;

	become_nobody();
	/* else its own files below /proc are root's */
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L), 0);
	CHECK_MSG(start(&rights) == 0, "%s", brood_error());
	CHECK_EQ(POOL_CALL(brood, job_what).code, 0);
	CHECK_EQ(POOL_CALL(brood, job_oom).code, 0);
	v = POOL_CALL(brood, job_fsize);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGXFSZ);
	/* the engine has kept its own */
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), own_nice);
	pool_stop(brood);
}
Test(rights, less_of_everything) { case_run(less_of_everything, 60000); }

static void refused(const struct brood_rights *rights, int error, const char *words)
{
	CHECK_EQ(start(rights), error);
	CHECK_CONTAINS(brood_error(), words);
}
#define REFUSED(error_, words_, ...)                                                        \
	refused(&(struct brood_rights){ .size = sizeof(struct brood_rights), __VA_ARGS__ }, \
		error_, words_)

/* What a worker would die of fails the start. Nothing is left, so each start is like the first. */
static void starts_that_cannot_work(void)
{
	const int no_cpu = CPU_SETSIZE - 1;
	const struct brood_limit core = { .resource = RLIMIT_CORE };
	const struct brood_limit locks = { .resource = RLIMIT_LOCKS };
	const struct brood_limit upside_down = { .resource = RLIMIT_NOFILE, .soft = 2, .hard = 1 };

	become_nobody();
	REFUSED(-EPERM, "at uid: Operation not permitted", .set = BROOD_RIGHTS_UID, .uid = 1);
	REFUSED(-EPERM, "pool main", .set = BROOD_RIGHTS_GROUPS);
	REFUSED(-EACCES, "at nice", .set = BROOD_RIGHTS_NICE, .nice = -20);
	REFUSED(-EINVAL, "at cpus", .cpus = &no_cpu, .cpus_count = 1);
	REFUSED(-EINVAL, "BROOD_NO_CORE", .limits = &core, .limits_count = 1);
	REFUSED(-EINVAL, "RLIMIT_LOCKS", .limits = &locks, .limits_count = 1);
	REFUSED(-EINVAL, "soft is 2, more than hard, 1", .limits = &upside_down, .limits_count = 1);
	REFUSED(-EINVAL, "nice is 20: -20 to 19", .set = BROOD_RIGHTS_NICE, .nice = 20);
	REFUSED(-EINVAL, "set has unknown bits: 0x40000000", .set = 1u << 30);
	REFUSED(-EINVAL, "groups is NULL, but groups_count is 3", .groups_count = 3);
	REFUSED(-EINVAL, "umask is 01000", .set = BROOD_RIGHTS_UMASK, .umask = 01000);
	REFUSED(-EINVAL, "reserved is not zero", .reserved = { 1 });
	CHECK_EQ(start(NULL), 0);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(rights, starts_that_cannot_work) { case_run(starts_that_cannot_work, 60000); }
