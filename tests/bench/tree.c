/* SPDX-License-Identifier: MIT */
/*
 * tree.c - finds the processes below one process in /proc, and reads from the scheduler how often
 * they ran and for how long. Every thread counts, but not this process itself. Also finds the
 * workers of a supervisor.
 */
#include "bench.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t parent_of(pid_t pid)
{
	char path[64];
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
			parent = 0;
		fclose(file);
	}
	return parent;
}

static bool in_tree(const struct tree *tree, pid_t pid)
{
	for (uint32_t i = 0; i < tree->count; i++) {
		if (tree->pids[i] == pid)
			return true;
	}
	return false;
}

/* /proc may list a child before its parent. Then the next round finds the child. */
void tree_find(struct tree *tree, pid_t root)
{
	uint32_t before;

	tree->count = 1;
	tree->pids[0] = root;
	do {
		DIR *folder = opendir("/proc");
		struct dirent *entry;

		before = tree->count;
		station_need(folder != NULL, "/proc");
		while ((entry = readdir(folder))) {
			pid_t pid = (pid_t)atoi(entry->d_name);

			if (pid > 0 && !in_tree(tree, pid) && in_tree(tree, parent_of(pid)) &&
				tree->count < TREE_MAX)
				tree->pids[tree->count++] = pid;
		}
		closedir(folder);
	} while (tree->count > before);
}

static bool add_use(struct tree_use *use, const char *path)
{
	unsigned long long ns = 0, runs = 0;
	FILE *file = fopen(path, "re");
	bool there = file && fscanf(file, "%llu %*u %llu", &ns, &runs) == 2;

	if (file)
		fclose(file);
	use->ns += ns;
	use->runs += runs;
	return there;
}

static bool add_process(struct tree_use *use, pid_t pid)
{
	char path[64], task[512];
	struct dirent *entry;
	bool there = true;
	DIR *folder;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	folder = opendir(path);
	if (!folder)
		return false;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(task, sizeof task, "%s/%s/schedstat", path, entry->d_name);
		there = add_use(use, task) && there;
	}
	closedir(folder);
	return there;
}

struct tree_use tree_use(const struct tree *tree)
{
	struct tree_use use = { 0 };

	for (uint32_t i = 0; i < tree->count; i++) {
		if (tree->pids[i] != getpid() && !add_process(&use, tree->pids[i]))
			use.ended++;
	}
	return use;
}

static bool is_worker(pid_t pid)
{
	char path[64], title[128] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(title, sizeof title, file))
		title[0] = '\0';
	fclose(file);
	return strstr(title, ": worker ") != NULL;
}

void tree_workers(struct tree *tree, pid_t supervisor)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	station_need(folder != NULL, "/proc");
	tree->count = 0;
	while ((entry = readdir(folder))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 0 && tree->count < TREE_MAX && parent_of(pid) == supervisor &&
			is_worker(pid))
			tree->pids[tree->count++] = pid;
	}
	closedir(folder);
}
