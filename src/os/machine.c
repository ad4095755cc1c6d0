/* SPDX-License-Identifier: MIT */
/* machine.c - see machine.h. */
#include "machine.h"
#include "procfs.h"

#include <limits.h>
#include <stdio.h>

/* A line of the form "KEY: NUMBER kB", or "SigQ: NUMBER/NUMBER". */
struct wanted {
	const char *key; /* with its colon */
	unsigned long long value, second;
	bool found;
};

static int match(void *context, const char *line)
{
	struct wanted *w = context;
	const size_t size = strlen(w->key);
	const char *at;

	if (strncmp(line, w->key, size) != 0)
		return 0;
	at = procfs_number(line + size, &w->value);
	if (*at == '/')
		procfs_number(at + 1, &w->second);
	w->found = true;
	return 1;
}

static struct wanted line_of(const char *root, const char *path, const char *key)
{
	struct wanted w = { .key = key };
	char whole[PATH_MAX];

	snprintf(whole, sizeof whole, "%s%s", root, path);
	(void)procfs_each_line(whole, match, &w);
	return w;
}

int machine_signals(const char *root, uint64_t *ret_queued, uint64_t *ret_limit)
{
	struct wanted w = line_of(root, "/proc/self/status", "SigQ:");

	if (!w.found)
		return -ENOENT;
	*ret_queued = w.value;
	*ret_limit = w.second;
	return 0;
}

uint64_t machine_memory_left(const char *root)
{
	char path[PATH_MAX], text[32];
	struct wanted limit, used;

	snprintf(path, sizeof path, "%s/proc/sys/vm/overcommit_memory", root);
	if (procfs_read(path, text, sizeof text) <= 0 || text[0] != '2')
		return UINT64_MAX;
	limit = line_of(root, "/proc/meminfo", "CommitLimit:");
	used = line_of(root, "/proc/meminfo", "Committed_AS:");
	if (!limit.found || !used.found)
		return UINT64_MAX;
	return limit.value > used.value ? (uint64_t)(limit.value - used.value) << 10 : 0;
}
