/* SPDX-License-Identifier: MIT */
/* open_files.c - see open_files.h. */
#include "open_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fd_name(int fd, char *name, size_t size)
{
	char path[40];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, name, size - 1);
	name[n > 0 ? n : 0] = 0;
}

void open_files_look(struct open_files *seen)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	char name[64];

	memset(seen, 0, sizeof *seen);
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir) || fd >= OPEN_FILES_MAX)
			continue;
		fd_name(fd, name, sizeof name);
		seen->open[fd] = true;
		seen->count++;
		seen->eventfds += !strcmp(name, "anon_inode:[eventfd]");
	}
	if (dir)
		closedir(dir);
}

/*
 * The library may keep one eventfd for each thread that ever waited, for the next such thread.
 * These eventfds do not count.
 */
void open_files_compare(
	const struct engine *e, const struct open_files *before, const struct open_files *after)
{
	struct tally_engine *te = &e->tally->engine;
	int kept = after->eventfds - before->eventfds, most = (int)e->options->threads + 1;
	size_t used = 0;

	if (kept < 0)
		kept = 0;
	te->fds_more = after->count - before->count - (kept < most ? kept : most);
	for (int fd = 0; te->fds_more > 0 && fd < OPEN_FILES_MAX && used + 1 < sizeof te->fd_names;
		fd++) {
		char name[64];

		if (!after->open[fd] || before->open[fd])
			continue;
		fd_name(fd, name, sizeof name);
		if (strcmp(name, "anon_inode:[eventfd]") || kept > most)
			used += (size_t)snprintf(te->fd_names + used, sizeof te->fd_names - used,
				"%s%d %s", used ? ", " : "", fd, name);
	}
}
