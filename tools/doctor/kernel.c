/* SPDX-License-Identifier: MIT */
/* kernel.c - the machine: what stands in /proc, /sys and /dev, and how the kernel is set. */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

typedef unsigned long long llu; /* for printf */

/* ---- files that all processes need ---- */

/* How the mount of /proc that is on top hides processes; "": it does not. */
static void read_hidepid(const struct patient *p, char ret[16])
{
	char text[65536], process[16], place[64];
	const char *line = text, *value;

	ret[0] = '\0';
	where_process(p->pid, process);
	if (!where_read(&p->where, text, sizeof text, "/proc/%s/mountinfo", process))
		return;
	for (; line; line = strchr(line, '\n')) {
		size_t size;

		line += *line == '\n';
		size = strcspn(line, "\n");
		if (sscanf(line, "%*s %*s %*s %*s %63s", place) != 1 || strcmp(place, "/proc") != 0)
			continue;
		value = memmem(line, size, "hidepid=", strlen("hidepid="));
		snprintf(ret, 16, "%.*s", value ? (int)strcspn(value + 8, ", \n") : 0,
			value ? value + 8 : "");
	}
}

static void check_proc(const struct patient *p, struct findings *f)
{
	char hide[16];

	if (!where_exists(&p->where, "/proc/self")) {
		findings_add(f, FAULT, "proc", "mount -t proc proc /proc in this root directory",
			"there is no /proc: brood-ctl and brood-top see nothing, and processes, "
			"threads and files that jobs leave are found only slowly");
		return;
	}
	read_hidepid(p, hide);
	if (*hide && strcmp(hide, "0") != 0 && strcmp(hide, "off") != 0)
		findings_add(f, NOTE, "hidepid",
			"mount -o remount,hidepid=0 /proc, or Delegate=yes in the unit",
			"/proc is mounted with hidepid=%s: processes of another user that a job "
			"left are found only slowly",
			hide);
}

static void check_null(const struct patient *p, struct findings *f)
{
	char path[PATH_MAX];
	struct stat st;

	where_path(&p->where, path, "/dev/null");
	if (stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return;
	findings_add(f, FAULT, "dev-null", "mknod -m 666 /dev/null c 1 3, or a bind mount",
		"/dev/null is not there, or is another file: brood_start() fails");
}

void check_files(const struct patient *p, struct findings *f)
{
	check_proc(p, f);
	check_null(p, f);
}

/* ---- settings ---- */

static void check_core_pattern(const struct patient *p, struct findings *f)
{
	char pattern[256], program[256];
	uint64_t uses_pid = 0;

	if (!where_read(&p->where, pattern, sizeof pattern, "/proc/sys/kernel/core_pattern"))
		return;
	if (*pattern == '|') {
		snprintf(program, sizeof program, "%.*s", (int)strcspn(pattern + 1, " "),
			pattern + 1);
		if (!where_exists(&p->where, "%s", program))
			findings_add(f, NOTE, "core-pattern",
				"sysctl kernel.core_pattern=core.%p, or install that program",
				"core files go to %.100s, which is not there", program);
		return;
	}
	where_number(&p->where, &uses_pid, "/proc/sys/kernel/core_uses_pid");
	if (!strstr(pattern, "%p") && !strstr(pattern, "%P") && uses_pid == 0)
		findings_add(f, NOTE, "core-pattern",
			"sysctl kernel.core_pattern=core.%p, or kernel.core_uses_pid=1",
			"core files of all workers have the one name \"%.60s\": each replaces the "
			"one before",
			pattern);
}

static uint64_t meminfo(const char *text, const char *key)
{
	const char *at = where_line(text, key);

	return at ? strtoull(at, NULL, 10) << 10 : 0;
}

static void check_overcommit(const struct patient *p, struct findings *f)
{
	uint64_t mode, limit, used, left;
	char text[4096];

	if (!where_number(&p->where, &mode, "/proc/sys/vm/overcommit_memory") || mode != 2)
		return;
	where_read(&p->where, text, sizeof text, "/proc/meminfo");
	limit = meminfo(text, "CommitLimit:");
	used = meminfo(text, "Committed_AS:");
	left = limit > used ? limit - used : 0;
	findings_add(f, p->need.memory > left || left == 0 ? FAULT : NOTE, "overcommit",
		"sysctl vm.overcommit_memory=0, or a higher vm.overcommit_ratio and swap",
		"vm.overcommit_memory is 2, and %llu MiB are left: each worker counts with all "
		"memory that the program has written, and births fail where that is more",
		(llu)(left >> 20));
}

static void check_pressure(const struct patient *p, struct findings *f)
{
	if (!where_exists(&p->where, "/proc/self") ||
		where_exists(&p->where, "/proc/pressure/memory"))
		return;
	findings_add(f, NOTE, "psi", "psi=1 on the kernel's command line (CONFIG_PSI)",
		"the kernel tells of no memory pressure (/proc/pressure): a pool cannot give way "
		"before memory is short");
}

static void check_autogroup(const struct patient *p, struct findings *f)
{
	uint64_t on;

	if (!where_number(&p->where, &on, "/proc/sys/kernel/sched_autogroup_enabled") || on == 0)
		return;
	findings_add(f, NOTE, "autogroup",
		"sysctl kernel.sched_autogroup_enabled=0, CPUWeight= in the unit, or "
		"options.spawn = BROOD_SPAWN_CLONE3",
		"the scheduler has a group for each session: workers in sessions of their own may "
		"wait a tenth of a second for each other");
}

void check_kernel(const struct patient *p, struct findings *f)
{
	check_core_pattern(p, f);
	check_overcommit(p, f);
	check_pressure(p, f);
	check_autogroup(p, f);
}
