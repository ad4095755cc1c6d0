/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "delegation.h"
#include "proc.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char root[PATH_MAX - NAME_MAX];

static bool own_folder(char *folder, size_t size)
{
	const char *mount = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0
		? "/sys/fs/cgroup"
		: "/sys/fs/cgroup/unified";
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512] = "";
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = strncmp(line, "0::", 3) == 0;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = '\0';
	snprintf(folder, size, "%s%s", mount, strcmp(line + 3, "/") == 0 ? "" : line + 3);
	return found;
}

void delegation_make(void)
{
	char folder[PATH_MAX - 2 * NAME_MAX];

	if (geteuid() != 0 || !own_folder(folder, sizeof folder))
		cr_skip_test("a cgroup of its own is for root, with cgroups of version 2");
	snprintf(root, sizeof root, "%s/brood-test.%d", folder, getpid());
	if (mkdir(root, 0755) < 0)
		cr_skip_test("no cgroup can be made here");
}

const char *delegation_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return path;
}

/* Removes the cgroups below, and theirs. Returns how many there were. */
static int remove_below(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int count = 0;

	while (d && (e = readdir(d))) {
		char path[PATH_MAX + NAME_MAX];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		count++;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		remove_below(path);
		rmdir(path);
	}
	if (d)
		closedir(d);
	return count;
}

static bool is_removed(void) { return rmdir(root) == 0 || errno == ENOENT; }

void delegation_remove(void)
{
	int left = remove_below(root);

	cr_assert(WAIT_UNTIL(is_removed(), 10000), "%s stays", root);
	cr_assert_eq(left, 0, "%d cgroups were left", left);
}

static bool is_swept(void)
{
	remove_below(root);
	return is_removed();
}

void delegation_sweep(void) { cr_assert(WAIT_UNTIL(is_swept(), 10000), "%s stays", root); }

static void write_to(const char *name, const char *text)
{
	FILE *f = fopen(delegation_path(name), "we");

	CHECK(f);
	CHECK_GE(fputs(text, f), 0);
	CHECK_EQ(fclose(f), 0);
}

void delegation_enter(bool mark)
{
	if (mark)
		CHECK_EQ(setxattr(root, "user.delegate", "1", 1, 0), 0);
	write_to("cgroup.procs", "0");
}

const char *delegation_of(pid_t pid)
{
	static char line[PATH_MAX];
	char path[64], *at;
	const char *last = strrchr(root, '/');
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	line[0] = '\0';
	while (f && fgets(line, sizeof line, f) && strncmp(line, "0::", 3) != 0)
		line[0] = '\0';
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = '\0';
	at = strstr(line, last);
	if (!at)
		return "?";
	at += strlen(last);
	return *at == '/' ? at + 1 : at;
}

bool delegation_has(const char *name) { return access(delegation_path(name), F_OK) == 0; }

int delegation_count(const char *name)
{
	char path[NAME_MAX], line[64];
	int count = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s%scgroup.procs", name, *name ? "/" : "");
	f = fopen(delegation_path(path), "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof line, f))
		count++;
	fclose(f);
	return count;
}
