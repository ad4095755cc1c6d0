/* SPDX-License-Identifier: MIT */
/* rights_options.c - struct brood_rights: what is refused, in which words; and how it grows. */
#include "front/rights_options.h"
#include "engine/engine.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(unit_rights_options, .timeout = 20);

static void refused(const struct brood_rights *rights, const char *words)
{
	struct brood_rights *own = NULL;

	cr_assert_eq(rights_options_take(rights, "rights->", &own), -EINVAL, "%s", words);
	cr_assert(strstr(engine_error_text(), words), "%s", engine_error_text());
	cr_assert(!own);
}
#define SIZE                .size = sizeof(struct brood_rights)
#define RIGHTS(...)         (&(struct brood_rights){ SIZE, __VA_ARGS__ })
#define REFUSED(words, ...) refused(RIGHTS(__VA_ARGS__), words)

static struct brood_rights *taken(const struct brood_rights *rights)
{
	struct brood_rights *own = NULL;

	cr_assert_eq(rights_options_take(rights, "rights->", &own), 0, "%s", engine_error_text());
	cr_assert_eq(own->size, sizeof *own);
	return own;
}

/* Nothing is set: workers keep what the program has. */
Test(unit_rights_options, nothing)
{
	struct brood_rights *own = taken(RIGHTS(.set = 0));
	const struct brood_rights zero = { .size = sizeof zero };

	cr_assert_eq(memcmp(own, &zero, sizeof zero), 0);
	free(own);
}

Test(unit_rights_options, values)
{
	REFUSED("rights->uid is -1", .set = BROOD_RIGHTS_UID, .uid = UINT32_MAX);
	REFUSED("rights->gid is -1", .set = BROOD_RIGHTS_GID, .gid = UINT32_MAX);
	REFUSED("nice is -21: -20 to 19", .set = BROOD_RIGHTS_NICE, .nice = -21);
	REFUSED("nice is 20: -20 to 19", .set = BROOD_RIGHTS_NICE, .nice = 20);
	REFUSED("oom_score_adj is -1001: -1000", .set = BROOD_RIGHTS_OOM, .oom_score_adj = -1001);
	REFUSED("oom_score_adj is 1001: -1000", .set = BROOD_RIGHTS_OOM, .oom_score_adj = 1001);
	REFUSED("umask is 01000: 0 to 0777", .set = BROOD_RIGHTS_UMASK, .umask = 01000);
	REFUSED("policy is 77: one of SCHED_OTHER", .set = BROOD_RIGHTS_SCHEDULER, .policy = 77);
	REFUSED("priority is 0: 1 to 99", .set = BROOD_RIGHTS_SCHEDULER, .policy = SCHED_FIFO);
	REFUSED("priority is 100: 1 to 99", .set = BROOD_RIGHTS_SCHEDULER, .policy = SCHED_RR,
		.priority = 100);
	REFUSED("priority is 1: 0 to 0", .set = BROOD_RIGHTS_SCHEDULER, .priority = 1);
	REFUSED("set has unknown bits: 0x40000000", .set = 1u << 30);
	REFUSED("reserved is not zero", .reserved = { [7] = 1 });
}

/* Without its bit a value would have no effect, and nobody would know. */
Test(unit_rights_options, values_without_their_bit)
{
	REFUSED("uid has a value, but set lacks BROOD_RIGHTS_UID", .uid = 1);
	REFUSED("gid has a value, but set lacks BROOD_RIGHTS_GID", .set = BROOD_RIGHTS_UID,
		.uid = 1, .gid = 1);
	REFUSED("lacks BROOD_RIGHTS_GROUPS", .groups = (const uint32_t[]){ 1 }, .groups_count = 1);
	REFUSED("lacks BROOD_RIGHTS_NICE", .nice = -1);
	REFUSED("policy has a value, but set lacks BROOD_RIGHTS_SCHEDULER", .policy = SCHED_BATCH);
	REFUSED("priority has a value, but set lacks BROOD_RIGHTS_SCHEDULER", .priority = 1);
	REFUSED("lacks BROOD_RIGHTS_OOM", .oom_score_adj = 1);
	REFUSED("lacks BROOD_RIGHTS_UMASK", .umask = 022);
}

static void limit_refused(struct brood_limit limit, const char *words)
{
	refused(RIGHTS(.limits = &limit, .limits_count = 1), words);
}
#define REFUSED_LIMIT(words, ...) limit_refused((struct brood_limit){ __VA_ARGS__ }, words)

Test(unit_rights_options, arrays)
{
	static const struct brood_limit many[33];
	static const int none = -1, large = CPU_SETSIZE;

	REFUSED("groups is NULL, but groups_count is 3", .set = BROOD_RIGHTS_GROUPS,
		.groups_count = 3);
	REFUSED("groups_count is 65537: at most 65536", .set = BROOD_RIGHTS_GROUPS,
		.groups = (const uint32_t[]){ 1 }, .groups_count = 65537);
	REFUSED("limits is NULL, but limits_count is 1", .limits_count = 1);
	REFUSED("limits_count is 33: at most 32", .limits = many, .limits_count = 33);
	REFUSED("cpus is NULL, but cpus_count is 1", .cpus_count = 1);
	REFUSED("cpus_count is", .cpus = &none, .cpus_count = CPU_SETSIZE + 1);
	REFUSED("cpus[0] is -1: 0 to", .cpus = &none, .cpus_count = 1);
	REFUSED("cpus[0] is", .cpus = &large, .cpus_count = 1);
	REFUSED_LIMIT("limits[0].resource is -1: a RLIMIT_ number", .resource = -1);
	REFUSED_LIMIT("limits[0].resource is 99: a RLIMIT_ number", .resource = 99);
	REFUSED_LIMIT("RLIMIT_LOCKS, by which the library marks", .resource = RLIMIT_LOCKS);
	REFUSED_LIMIT("use the pool's worker_memory", .resource = RLIMIT_DATA);
	REFUSED_LIMIT("use the pool's stack_size", .resource = RLIMIT_STACK);
	REFUSED_LIMIT("use the pool's cores_per_minute, or BROOD_NO_CORE", .resource = RLIMIT_CORE);
	REFUSED_LIMIT("limits[0]: soft is 2, more than hard, 1", .resource = RLIMIT_NOFILE,
		.soft = 2, .hard = 1);
	REFUSED_LIMIT("limits[0].reserved is not zero", .resource = RLIMIT_NOFILE, .reserved = 1);
}

/* A newer program's struct is longer: what this library does not know must be 0. */
Test(unit_rights_options, newer_struct)
{
	struct {
		struct brood_rights known;
		uint64_t later[2];
	} newer = { .known = { .size = sizeof newer, .set = BROOD_RIGHTS_NICE, .nice = 3 } };
	struct brood_rights *own = taken(&newer.known);

	cr_assert_eq(own->nice, 3);
	free(own);
	newer.later[1] = 1;
	refused(&newer.known, "rights->size is");
	newer.known.size = (size_t)1 << 40;
	refused(&newer.known, "rights->size is 1099511627776, and this library");
}

/* The struct of the first version ends with `reserved`. A shorter one never was. */
Test(unit_rights_options, oldest_struct)
{
	const size_t first = offsetof(struct brood_rights, reserved) + 8 * sizeof(uint64_t);
	struct brood_rights old = { .size = first, .set = BROOD_RIGHTS_UMASK, .umask = 027 };
	struct brood_rights *own = taken(&old);

	cr_assert_eq(own->umask, 027);
	free(own);
	old.size = first - 1;
	refused(&old, "use { .size = sizeof(struct brood_rights) }");
	old.size = 0;
	refused(&old, "rights->size is 0");
}
