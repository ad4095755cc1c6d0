/* SPDX-License-Identifier: MIT */
/*
 * limits.c - resource limits: of a process, or those that a unit sets. What a unit does not set
 * comes from the service manager, and is large there but for open files.
 */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CAPS_OF_LIMITS (UINT64_C(1) << 24 | UINT64_C(1) << 21) /* SYS_RESOURCE, SYS_ADMIN */

typedef unsigned long long llu; /* for printf */

/* ---- reading ---- */

static bool number_at(const char **at, uint64_t *ret)
{
	while (**at == ' ')
		++*at;
	if (strncmp(*at, "unlimited", 9) == 0) {
		*ret = UINT64_MAX;
		*at += 9;
		return true;
	}
	if (!isdigit((unsigned char)**at))
		return false;
	*ret = strtoull(*at, (char **)(uintptr_t)at, 10);
	return true;
}

static bool limit_of_unit(const struct patient *p, const char *key, uint64_t *ret)
{
	const char *value = unit_value(p->unit, key);
	char name[64], manager[256];

	snprintf(name, sizeof name, "Default%s", key);
	return unit_limit(value ? value : where_manager(&p->where, name, manager), ret);
}

/* line: as /proc/PID/limits names it; key: as a unit does. False: not known. */
static bool limit_of(
	const struct patient *p, const char *line, const char *key, bool hard, uint64_t *ret)
{
	char text[4096], process[16];
	uint64_t soft, most;
	const char *at;

	if (p->unit)
		return limit_of_unit(p, key, ret);
	where_process(p->pid, process);
	if (!where_read(&p->where, text, sizeof text, "/proc/%s/limits", process))
		return false;
	at = where_line(text, line);
	if (!at || !number_at(&at, &soft) || !number_at(&at, &most))
		return false;
	*ret = hard ? most : soft;
	return true;
}

static bool read_status(const struct patient *p, char *ret, size_t size)
{
	char process[16];

	where_process(p->pid, process);
	return where_read(&p->where, ret, size, "/proc/%s/status", process);
}

static uint64_t field(const char *text, const char *key, int base)
{
	const char *at = where_line(text, key);

	return at ? strtoull(at, NULL, base) : 0;
}

/* ---- checks ---- */

static void check_open_files(const struct patient *p, struct findings *f)
{
	uint64_t limit, need = need_files(&p->need);
	char cure[160];

	if (!limit_of(p, "Max open files", "LimitNOFILE", true, &limit) || limit >= need)
		return;
	snprintf(cure, sizeof cure,
		"LimitNOFILE=%llu in the unit, ulimit -Hn %llu as root, or fewer workers",
		(llu)need, (llu)need);
	findings_add(f, FAULT, "nofile", cure,
		"the hard limit on open files is %llu, and the supervisor of %llu workers needs "
		"%llu: brood_start() fails",
		(llu)limit, (llu)p->need.workers, (llu)need);
}

/* True: the kernel applies RLIMIT_NPROC to this user. *ret_user: who that is, of a process. */
static bool nproc_applies(const struct patient *p, uint64_t *ret_user)
{
	const char *user;
	char text[4096];

	*ret_user = 0;
	if (p->unit) {
		user = unit_value(p->unit, "User");
		return unit_says_yes(p->unit, "DynamicUser") ||
			(user && strcmp(user, "root") != 0 && strcmp(user, "0") != 0);
	}
	if (!read_status(p, text, sizeof text))
		return false;
	*ret_user = field(text, "Uid:", 10);
	return *ret_user != 0 && !(field(text, "CapEff:", 16) & CAPS_OF_LIMITS);
}

/* Threads of all processes of this user. */
static uint64_t tasks_of_user(const struct where *w, uint64_t user)
{
	char path[PATH_MAX], text[4096];
	struct dirent *entry;
	uint64_t count = 0;
	DIR *dir;

	where_path(w, path, "/proc");
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
			where_read(w, text, sizeof text, "/proc/%.16s/status", entry->d_name) &&
			field(text, "Uid:", 10) == user)
			count += field(text, "Threads:", 10);
	if (dir)
		closedir(dir);
	return count;
}

static void check_processes(const struct patient *p, struct findings *f)
{
	uint64_t limit, user, need = need_processes(&p->need), others;
	char cure[160];

	if (!nproc_applies(p, &user) || !limit_of(p, "Max processes", "LimitNPROC", false, &limit))
		return;
	others = p->unit || p->pid > 0 ? 0 : tasks_of_user(&p->where, user);
	snprintf(cure, sizeof cure,
		"LimitNPROC=%llu in the unit, ulimit -u, or fewer workers; jobs that fork need "
		"more",
		(llu)(2 * need + others));
	if (limit < need)
		findings_add(f, FAULT, "nproc", cure,
			"RLIMIT_NPROC, for all processes of the user, is %llu, and %llu workers "
			"are %llu processes with their supervisor: some cannot be born",
			(llu)limit, (llu)p->need.workers, (llu)need);
	else if (limit - need < others)
		findings_add(f, NOTE, "nproc", cure,
			"RLIMIT_NPROC is %llu; the user has %llu threads now, and %llu workers "
			"are %llu processes with their supervisor",
			(llu)limit, (llu)others, (llu)p->need.workers, (llu)need);
}

static void check_file_size(const struct patient *p, struct findings *f)
{
	uint64_t limit, need = need_file_size();
	char cure[120];

	if (!limit_of(p, "Max file size", "LimitFSIZE", false, &limit) || limit >= need)
		return;
	snprintf(cure, sizeof cure, "LimitFSIZE=infinity in the unit, or ulimit -f unlimited");
	findings_add(f, FAULT, "fsize", cure,
		"RLIMIT_FSIZE is %llu bytes, and memory that engine and workers share counts as "
		"a file of %llu: brood_start() fails",
		(llu)limit, (llu)need);
}

/* "SigQ: 3/96170": signals that are queued for all processes of this user, and the limit. */
static void check_signals(const struct patient *p, struct findings *f)
{
	static const char cure[] = "LimitSIGPENDING= in the unit, ulimit -i, or find the process "
				   "that does not take its signals (SigQ in /proc/PID/status)";
	char text[4096];
	const char *at;
	uint64_t used, limit;

	if (p->unit) {
		if (unit_limit(unit_value(p->unit, "LimitSIGPENDING"), &limit) &&
			limit < p->need.workers)
			findings_add(f, FAULT, "sigpending", cure,
				"LimitSIGPENDING= is %llu, less than one for each of %llu workers: "
				"a job that makes a timer (timer_create) fails, and a timer that a "
				"job leaves is not found",
				(llu)limit, (llu)p->need.workers);
		return;
	}
	at = read_status(p, text, sizeof text) ? where_line(text, "SigQ:\t") : NULL;
	if (!at || !number_at(&at, &used) || *at++ != '/' || !number_at(&at, &limit))
		return;
	if (used >= limit)
		findings_add(f, FAULT, "sigpending", cure,
			"RLIMIT_SIGPENDING is used up: %llu of %llu signals are queued for "
			"processes of this user: a job that makes a timer (timer_create) fails, "
			"and a timer that a job leaves is not found",
			(llu)used, (llu)limit);
	else if (used > limit / 4 * 3)
		findings_add(f, NOTE, "sigpending", cure,
			"%llu of %llu signals (RLIMIT_SIGPENDING) are queued for processes of this "
			"user",
			(llu)used, (llu)limit);
}

static void check_core(const struct patient *p, struct findings *f)
{
	uint64_t limit;

	if (limit_of(p, "Max core file size", "LimitCORE", true, &limit) && limit == 0)
		findings_add(f, NOTE, "core",
			"LimitCORE=infinity in the unit, or ulimit -Hc unlimited as root",
			"the hard limit on core files is 0: a worker that crashes leaves none, and "
			"the log has its death report alone");
}

void check_limits(const struct patient *p, struct findings *f)
{
	check_open_files(p, f);
	check_processes(p, f);
	check_file_size(p, f);
	check_signals(p, f);
	check_core(p, f);
}
