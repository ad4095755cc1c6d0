/* SPDX-License-Identifier: MIT */
/* capacity.c - limits on processes and memory: what is refused, what has a line, in which words. */
#include "front/capacity.h"
#include "engine/engine.h"
#include "wire/birth.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(unit_capacity, .timeout = 20);

#define MIB (UINT64_C(1) << 20)

/* Two pools: 4 workers of 64 MiB, and 3 workers without a limit. */
static const struct pool_setup setups[] = {
	{ .name = "main",
		.options = { .workers = 4,
			.spawn = BROOD_SPAWN_CLONE,
			.worker_memory = 64 * MIB } },
	{ .name = "php", .options = { .workers = 3 } },
};
static const struct pool_setups pools = { .list = setups, .count = 2 };

static struct capacity unlimited(void)
{
	return (struct capacity){ .tasks.value = CGROUP_UNLIMITED,
		.memory.value = CGROUP_UNLIMITED,
		.user = CGROUP_UNLIMITED };
}

static struct capacity tasks(uint64_t value)
{
	struct capacity c = unlimited();

	c.tasks = (struct cgroup_limit){ .value = value, .group = "/system.slice/x.service" };
	return c;
}

static struct capacity_lines judge(struct capacity c)
{
	struct capacity_lines lines;

	cr_assert_eq(capacity_judge(&c, &pools, &lines), 0, "%s", engine_error_text());
	return lines;
}

static void has(const char *text, const char *words)
{
	cr_assert(strstr(text, words), "\"%s\" is not in: %s", words, text);
}

Test(unit_capacity, no_limit)
{
	struct capacity_lines lines = judge(unlimited());

	cr_assert_str_eq(lines.tasks, "");
	cr_assert_str_eq(lines.memory, "");
}

/* supervisor, engine, guard, spawner, and all workers of all pools: 11 */
Test(unit_capacity, tasks_for_all)
{
	cr_assert_str_eq(judge(tasks(11)).tasks, "");
	has(judge(tasks(10)).tasks,
		"7 workers, supervisor, engine, guard, spawner are 11 processes");
	has(judge(tasks(10)).tasks, "pids.max of the cgroup /system.slice/x.service is 10");
	has(judge(tasks(10)).tasks, "(TasksMax=11 in a systemd unit)");
}

static void refused(struct capacity c, const char *words)
{
	struct capacity_lines lines = { .tasks = "untouched", .memory = "untouched" };

	cr_assert_eq(capacity_judge(&c, &pools, &lines), -EAGAIN);
	has(engine_error_text(), words);
	cr_assert_str_eq(lines.tasks, "untouched");
	cr_assert_str_eq(lines.memory, "untouched");
}

Test(unit_capacity, tasks_for_one_worker_a_pool)
{
	has(judge(tasks(6)).tasks, "is 6: some workers cannot be born");
	refused(tasks(5), "guard, spawner and one worker for each pool are 6 processes");
	refused(tasks(5), "TasksMax=11");
	refused(tasks(0), "x.service is 0: raise it");
}

Test(unit_capacity, processes_of_a_user)
{
	struct capacity c = tasks(10);

	c.user = 6;
	has(judge(c).tasks, "RLIMIT_NPROC, for all processes of this user, is 6");
	has(judge(c).tasks, "(LimitNPROC=11 in a systemd unit, or ulimit -u)");
	c.user = 4;
	refused(c, "LimitNPROC=11");
	c.user = 10;
	has(judge(c).tasks, "TasksMax=11");
}

/* By default there is one where it saves something. */
Test(unit_capacity, few_and_many_workers)
{
	struct pool_setup two[] = { { .options = { .workers = 200 } },
		{ .options = { .workers = 55 } } };
	const struct pool_setups some = { two, 2 };

	cr_assert(!birth_by_spawner(&some));
	two[1].options.workers++;
	cr_assert(birth_by_spawner(&some));
	two[0].options.spawn = BROOD_SPAWN_FORK;
	cr_assert(!birth_by_spawner(&some));
}

/* By fork() the supervisor makes the workers itself. */
Test(unit_capacity, no_spawner)
{
	const struct pool_setup one = { .options = { .workers = 2, .spawn = BROOD_SPAWN_FORK } };
	const struct pool_setups forked = { &one, 1 };
	struct capacity_lines lines;
	struct capacity c = tasks(5);

	cr_assert_eq(capacity_judge(&c, &forked, &lines), 0);
	cr_assert_str_eq(lines.tasks, "");
	c = tasks(4);
	cr_assert_eq(capacity_judge(&c, &forked, &lines), 0);
	has(lines.tasks, "2 workers, supervisor, engine, guard are 5 processes");
}

static struct capacity memory(uint64_t value)
{
	struct capacity c = unlimited();

	c.memory = (struct cgroup_limit){ .value = value, .group = "/" };
	return c;
}

/* Workers without a limit of their own do not count. */
Test(unit_capacity, memory_of_all)
{
	cr_assert_str_eq(judge(memory(256 * MIB)).memory, "");
	has(judge(memory(255 * MIB)).memory, "allows 4 workers 256 MiB together");
	has(judge(memory(255 * MIB)).memory, "memory.max of the cgroup / is 255 MiB");
	has(judge(memory(255 * MIB)).memory, "MemoryMax=");
	cr_assert_str_eq(judge(memory(0)).tasks, "");
}

Test(unit_capacity, memory_beyond_the_type)
{
	const struct pool_setup huge[] = {
		{ .options = { .workers = 3, .worker_memory = UINT64_MAX / 2 } },
		{ .options = { .workers = 1, .worker_memory = 1 } },
	};
	const struct pool_setups both = { .list = huge, .count = 2 };
	struct capacity c = memory(UINT64_MAX - 1);
	struct capacity_lines lines;

	cr_assert_eq(capacity_judge(&c, &both, &lines), 0);
	has(lines.memory, "worker_memory allows");
}

/* The longest names, and figures, fit in a line. */
Test(unit_capacity, long_lines)
{
	struct capacity c = tasks(10);

	memset(c.tasks.group, 'x', sizeof c.tasks.group - 1);
	c.memory = c.tasks;
	c.memory.value = 1;
	has(judge(c).tasks, "or ask for fewer workers");
	has(judge(c).memory, "or fewer workers");
}
