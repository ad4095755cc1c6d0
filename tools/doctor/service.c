/* SPDX-License-Identifier: MIT */
/* service.c - the lines of a unit. What a line means to Brood: tools/systemd/, brood(7). */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#define KILL_MS 5000 /* after stop_ms the supervisor kills workers, and waits for them so long */

typedef unsigned long long llu; /* for printf */

static bool is(const char *value, const char *word) { return value && strcmp(value, word) == 0; }

/* The key's value, or the one that the manager's configuration has. */
static const char *value_or(const struct patient *p, const char *key, const char *otherwise)
{
	const char *value = unit_value(p->unit, key);

	return value ? value : otherwise;
}

/* ---- the end of the service ---- */

static void check_kill_mode(const struct patient *p, struct findings *f)
{
	const char *mode = value_or(p, "KillMode", "control-group");

	if (is(mode, "none"))
		findings_add(f, FAULT, "kill-mode", "KillMode=mixed",
			"KillMode=none: at a stop nobody ends the service, and what is left of it "
			"stays");
	else if (is(mode, "process"))
		findings_add(f, NOTE, "kill-mode", "KillMode=mixed",
			"KillMode=process: after TimeoutStopSec= systemd kills the supervisor "
			"alone, and a process that a job put into a session of its own may stay");
	else if (is(mode, "control-group"))
		findings_add(f, NOTE, "kill-mode", "KillMode=mixed",
			"KillMode=control-group%s: a stop sends SIGTERM to all processes at once, "
			"also to programs that jobs run",
			unit_value(p->unit, "KillMode") ? "" : ", the default");
}

static uint64_t sum_ms(uint64_t a, uint64_t b)
{
	return a == DOCTOR_FOREVER || b == DOCTOR_FOREVER ? DOCTOR_FOREVER : a + b;
}

static void check_stop_time(const struct patient *p, struct findings *f)
{
	uint64_t pool = sum_ms(sum_ms(p->need.drain_ms, p->need.stop_ms), KILL_MS), timeout = 90000;
	uint64_t all = sum_ms(pool, p->need.engine_stop_ms);
	const char *value = unit_value(p->unit, "TimeoutStopSec");
	char manager[256], cure[120];

	value = value ? value : unit_value(p->unit, "TimeoutSec");
	value = value ? value : where_manager(&p->where, "DefaultTimeoutStopSec", manager);
	unit_time(value, &timeout);
	if (timeout == 0 || timeout >= all) /* 0: no limit, in some versions */
		return;
	snprintf(cure, sizeof cure, "TimeoutStopSec=%llu or more, or a shorter drain_ms",
		(llu)(all == DOCTOR_FOREVER ? pool / 1000 + 1 : all / 1000 + 1));
	if (timeout < pool)
		findings_add(f, FAULT, "stop-time",
			pool == DOCTOR_FOREVER ? "a bound for drain_ms, below TimeoutStopSec="
					       : cure,
			"TimeoutStopSec= is %llu s, and a stop may take longer (drain_ms, stop_ms, "
			"and %u s for those that were killed): systemd kills jobs that could have "
			"been done",
			(llu)(timeout / 1000), KILL_MS / 1000);
	else
		findings_add(f, NOTE, "stop-time", cure,
			"TimeoutStopSec= is %llu s: an engine that does not end is killed by "
			"systemd, with all workers, before the supervisor would do so "
			"(engine_stop_ms)",
			(llu)(timeout / 1000));
}

/* ---- memory and processes ---- */

static void check_oom_policy(const struct patient *p, struct findings *f)
{
	const char *policy = unit_value(p->unit, "OOMPolicy");
	char manager[256];
	bool own = policy != NULL;

	if (!own && unit_says_yes(p->unit, "Delegate"))
		return; /* systemd takes "continue" then */
	policy = own ? policy : where_manager(&p->where, "DefaultOOMPolicy", manager);
	policy = policy ? policy : "stop";
	if (!is(policy, "continue"))
		findings_add(f, FAULT, "oom-policy", "OOMPolicy=continue",
			"OOMPolicy=%.20s%s: where one worker takes too much memory, the whole "
			"service ends",
			policy, own ? "" : ", the default");
}

static uint64_t memory_of_machine(const struct patient *p)
{
	char text[4096];
	const char *at;

	if (!where_read(&p->where, text, sizeof text, "/proc/meminfo"))
		return 0;
	at = where_line(text, "MemTotal:");
	return at ? strtoull(at, NULL, 10) << 10 : 0;
}

static void check_memory_max(const struct patient *p, struct findings *f)
{
	const char *value = unit_value(p->unit, "MemoryMax");
	uint64_t limit;
	char *end;

	value = value ? value : unit_value(p->unit, "MemoryLimit");
	if (!value || p->need.memory == 0)
		return;
	if (!unit_bytes(value, &limit)) {
		double share = strtod(value, &end);

		if (end == value || *end != '%' || !(share >= 0 && share <= 100))
			return;
		limit = (uint64_t)((double)memory_of_machine(p) * share / 100);
	}
	if (limit > 0 && p->need.memory > limit)
		findings_add(f, FAULT, "memory",
			"a larger MemoryMax=, less worker_memory, or fewer workers",
			"%llu workers may take %llu MiB together, and MemoryMax= is %llu MiB: the "
			"kernel kills a process before a worker meets its own limit",
			(llu)p->need.workers, (llu)(p->need.memory >> 20), (llu)(limit >> 20));
}

/* A share is one of the tasks that the machine can have. */
static bool read_tasks(const struct patient *p, const char *value, uint64_t *ret)
{
	uint64_t threads, pids;
	double share;
	char *end;

	if (unit_bytes(value, ret))
		return true;
	share = strtod(value, &end);
	if (end == value || *end != '%' || !(share >= 0 && share <= 100) ||
		!where_number(&p->where, &threads, "/proc/sys/kernel/threads-max") ||
		!where_number(&p->where, &pids, "/proc/sys/kernel/pid_max"))
		return false;
	*ret = (uint64_t)((double)(threads < pids ? threads : pids) * share / 100);
	return true;
}

static void check_tasks_max(const struct patient *p, struct findings *f)
{
	const char *value = unit_value(p->unit, "TasksMax");
	uint64_t limit, need = need_processes(&p->need);
	char cure[120], manager[256];

	value = value ? value : where_manager(&p->where, "DefaultTasksMax", manager);
	if (!read_tasks(p, value ? value : "15%", &limit) || limit >= need + need / 8)
		return;
	snprintf(cure, sizeof cure, "TasksMax=%llu, or fewer workers; jobs that fork need more",
		(llu)(2 * need));
	findings_add(f, limit < need ? FAULT : NOTE, "tasks", cure,
		"TasksMax= is %llu, and %llu workers are %llu processes with their supervisor: %s",
		(llu)limit, (llu)p->need.workers, (llu)need,
		limit < need ? "some cannot be born"
			     : "there is no room for those that replace others that dump core");
}

/* ---- what systemd hears, and what the service sees ---- */

static void check_notify(const struct patient *p, struct findings *f)
{
	const char *type = value_or(p, "Type", "simple");
	const char *access = value_or(p, "NotifyAccess", "main");

	if (strncmp(type, "notify", 6) != 0)
		findings_add(f, NOTE, "type", "Type=notify",
			"Type=%.20s: systemd takes the service for ready before its workers are",
			type);
	if (is(access, "all") || is(access, "exec"))
		findings_add(f, NOTE, "notify-access", "NotifyAccess=main",
			"NotifyAccess=%.20s: systemd believes what a job in a worker tells it of "
			"the service",
			access);
}

static void check_proc_lines(const struct patient *p, struct findings *f)
{
	const char *hide = value_or(p, "ProtectProc", "default");

	if (!is(hide, "default"))
		findings_add(f, NOTE, "hidepid", "ProtectProc=default, or Delegate=yes",
			"ProtectProc=%.20s: processes of another user that a job left are found "
			"only slowly",
			hide);
	if (is(unit_value(p->unit, "ProcSubset"), "pid"))
		findings_add(f, NOTE, "proc-subset", "ProcSubset=all",
			"ProcSubset=pid: the service sees neither memory pressure nor limits of "
			"the kernel");
}

static void check_root(const struct patient *p, struct findings *f)
{
	const char *root = unit_value(p->unit, "RootDirectory");

	if (!root || unit_says_yes(p->unit, "PrivateDevices") ||
		unit_says_yes(p->unit, "MountAPIVFS") ||
		where_exists(&p->where, "%s/dev/null", root))
		return;
	findings_add(f, FAULT, "dev-null", "PrivateDevices=yes, or MountAPIVFS=yes",
		"RootDirectory=%.100s has no /dev/null: brood_start() fails", root);
}

static void check_filter(const struct patient *p, struct findings *f)
{
	static const char *const calls[] = { "clone3", "pidfd_open", "pidfd_send_signal" };

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (unit_denies(p->unit, calls[i]))
			findings_add(f, NOTE, *calls[i] == 'c' ? "clone3" : "pidfd",
				"a SystemCallFilter= that allows it",
				"SystemCallFilter= denies %s(): workers are born and watched by "
				"older calls, which cost more",
				calls[i]);
	if (unit_denies(p->unit, "@process"))
		findings_add(f, FAULT, "process-calls", "a SystemCallFilter= without ~@process",
			"SystemCallFilter= denies @process: no worker can be born");
}

void check_service(const struct patient *p, struct findings *f)
{
	if (!p->unit)
		return;
	check_kill_mode(p, f);
	check_stop_time(p, f);
	check_oom_policy(p, f);
	check_memory_max(p, f);
	check_tasks_max(p, f);
	check_notify(p, f);
	check_proc_lines(p, f);
	check_root(p, f);
	check_filter(p, f);
}
