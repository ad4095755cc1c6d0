/* SPDX-License-Identifier: MIT */
/*
 * page.c - see page.h. A page is mapped only if it is sealed against getting shorter: otherwise its
 * owner could end the reader by a SIGBUS.
 */
#include "page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANCESTORS_MAX 64

static bool is_page(int dir, const char *name)
{
	char link[64];
	ssize_t n = readlinkat(dir, name, link, sizeof link);

	return n == (ssize_t)strlen(BROOD_STATUS_LINK) &&
		memcmp(link, BROOD_STATUS_LINK, (size_t)n) == 0;
}

/* Opens the page among the process's files. -ENOENT: it has none. */
static int open_of(pid_t pid)
{
	char path[32];
	int fd = -ENOENT;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fd == -ENOENT && (entry = readdir(dir)))
		if (is_page(dirfd(dir), entry->d_name)) {
			/* whoever made a file of that name chose its kind: do not wait */
			fd = openat(dirfd(dir), entry->d_name,
				O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
			fd = fd < 0 ? -errno : fd;
		}
	closedir(dir);
	return fd;
}

static int map_fd(int fd, struct status_page *page)
{
	int seals = fcntl(fd, F_GET_SEALS), r;
	struct stat st;
	void *memory;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || st.st_size <= 0 ||
		(uintmax_t)st.st_size > SIZE_MAX)
		return -EBADMSG;
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	r = status_view_open(&page->view, memory, (size_t)st.st_size);
	if (r < 0)
		munmap(memory, (size_t)st.st_size);
	return r;
}

static pid_t parent_of(pid_t pid)
{
	char path[32], text[512];
	const char *at;
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	at = strrchr(text, ')'); /* the name before may have any characters */
	return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

int status_page_open(pid_t pid, struct status_page *ret)
{
	struct status_page page = { .supervisor = pid };
	int fd = pid > 0 ? open_of(pid) : -ESRCH, r;

	for (int i = 0; fd == -ENOENT && i < ANCESTORS_MAX; i++) {
		page.supervisor = parent_of(page.supervisor);
		if (page.supervisor <= 0)
			break;
		fd = open_of(page.supervisor);
		/* what is above belongs to somebody else */
		if (fd == -EACCES || fd == -ESRCH)
			fd = -ENOENT;
	}
	if (fd < 0)
		return fd;
	r = map_fd(fd, &page);
	close(fd);
	if (r == 0)
		*ret = page;
	return r;
}

void status_page_close(struct status_page *page)
{
	if (page->view.base)
		munmap((void *)(uintptr_t)page->view.base, page->view.size);
	memset(page, 0, sizeof *page);
}

bool status_page_alive(const struct status_page *page)
{
	int fd = open_of(page->supervisor);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_users(pid_t pid, const uid_t *user)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return !user || (stat(path, &st) == 0 && st.st_uid == *user);
}

size_t status_page_list(const uid_t *user, pid_t *ret_pids, size_t room)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (dir && count < room && (entry = readdir(dir))) {
		pid_t pid = is_number(entry->d_name) ? (pid_t)atol(entry->d_name) : 0;
		int fd = pid > 0 && is_users(pid, user) ? open_of(pid) : -1;

		if (fd < 0)
			continue;
		close(fd);
		ret_pids[count++] = pid;
	}
	if (dir)
		closedir(dir);
	return count;
}

static bool has_name(const struct status_page *page, const char *name)
{
	struct brood_status_brood brood;

	status_view_brood(&page->view, &brood);
	return strcmp(brood.name, name) == 0;
}

int status_page_find(const char *name, struct status_page *ret)
{
	pid_t pids[256];
	size_t count, found = 0;

	if (is_number(name))
		return status_page_open((pid_t)atol(name), ret);
	count = status_page_list(NULL, pids, sizeof pids / sizeof pids[0]);
	for (size_t i = 0; i < count; i++) {
		struct status_page page;

		if (status_page_open(pids[i], &page) < 0)
			continue;
		if (!has_name(&page, name) || found++ > 0)
			status_page_close(&page);
		else
			*ret = page;
	}
	if (found > 1)
		status_page_close(ret);
	return found == 1 ? 0 : found > 1 ? -ENOTUNIQ : -ENOENT;
}
