/* SPDX-License-Identifier: MIT */
/*
 * title.c - the title of a process in ps.
 *
 * The kernel reads a process's command line from the address that the process has told it. The
 * usual trick writes over argv and environ. But a program may have pointers into them (options,
 * getenv()), and these must stay valid in the engine and in every job. So the library tells the
 * kernel once, before the first fork (children inherit this), that the command line stands in a
 * page of the library. This takes PR_SET_MM_MAP, which needs CONFIG_CHECKPOINT_RESTORE but no
 * privilege. Where it is missing, only the comm name is set. argv and environ are never touched, so
 * setenv() and getopt() work as before.
 *
 * The last byte of the area is not NUL. This makes the kernel show the text up to its first NUL,
 * instead of the whole area.
 */
#define _GNU_SOURCE
#include "title.h"
#include "../base/base.h"
#include "procfs.h"
#include "shm.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define TITLE_SIZE 256
#define PREFIX_MAX 64

AT_BIRTH static struct {
	char *area; /* NULL: the kernel was not told of an area */
	char prefix[PREFIX_MAX];
	size_t suffix_at;
	pid_t comm_pid; /* the process whose comm name was set */
} title;

static char nowhere;
AT_BIRTH char *title_suffix = &nowhere;

#ifdef PR_SET_MM_MAP

/* Field numbers of /proc/self/stat, as in proc(5). */
enum {
	STAT_START_CODE = 26,
	STAT_END_CODE,
	STAT_START_STACK,
	STAT_START_DATA = 45,
	STAT_END_DATA,
	STAT_START_BRK,
	STAT_ENV_START = 50,
	STAT_ENV_END,
	STAT_FIELDS
};

static int read_layout(struct prctl_mm_map *ret)
{
	unsigned long long fields[STAT_FIELDS] = { 0 };
	char path[PROCFS_PATH], text[1024];
	ssize_t n = procfs_read(procfs_path(path, 0, "stat"), text, sizeof text);
	const char *at = n > 0 ? strrchr(text, ')') : NULL;

	if (!at || strlen(at) < 4)
		return -ENOTSUP;
	at += 3; /* skips the state letter and its spaces */
	for (int i = 4; i < STAT_FIELDS; i++)
		at = procfs_number(at, &fields[i]);
	memset(ret, 0, sizeof *ret);
	ret->start_code = fields[STAT_START_CODE];
	ret->end_code = fields[STAT_END_CODE];
	ret->start_stack = fields[STAT_START_STACK];
	ret->start_data = fields[STAT_START_DATA];
	ret->end_data = fields[STAT_END_DATA];
	ret->start_brk = fields[STAT_START_BRK];
	ret->env_start = fields[STAT_ENV_START];
	ret->env_end = fields[STAT_ENV_END];
	ret->exe_fd = (uint32_t)-1;
	return ret->env_end && ret->start_code ? 0 : -ENOTSUP;
}

static int tell_kernel(char *area)
{
	struct prctl_mm_map map;
	int r = read_layout(&map);

	if (r < 0)
		return r;
	map.arg_start = (uintptr_t)area;
	map.arg_end = (uintptr_t)area + TITLE_SIZE;
	/*
	 * The kernel checks brk against its own value, which the C library's may differ from. From
	 * this call to the prctl() nothing may allocate, since that might move brk.
	 */
	map.brk = (uint64_t)syscall(SYS_brk, 0);
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) < 0 ? -ENOTSUP : 0;
}

#else

static int tell_kernel(char *area)
{
	(void)area;
	return -ENOTSUP;
}

#endif

static void note_prefix(const char *name)
{
	const char *base = strrchr(name, '/');

	base = base ? base + 1 : name;
	snprintf(title.prefix, sizeof title.prefix, "%s", *base ? base : "brood");
}

/* Until the first title_set(), the title is what /proc/self/cmdline began with. */
static void copy_command_line(char *area)
{
	char path[PROCFS_PATH], text[TITLE_SIZE - 1];
	ssize_t n = procfs_read(procfs_path(path, 0, "cmdline"), text, sizeof text);

	for (ssize_t i = 0; i < n; i++)
		area[i] = text[i] || i == n - 1 ? text[i] : ' ';
}

int title_init(const char *name)
{
	char *area;
	int r;

	note_prefix(name ? name : program_invocation_name);
	if (title.area)
		return 0;
	/*
	 * Private memory: the kernel shows no other kind, and fork gives each process its own copy.
	 */
	area = mmap(NULL, shm_page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return -ENOTSUP;
	copy_command_line(area);
	area[TITLE_SIZE - 1] = '.';
	r = tell_kernel(area);
	if (r < 0) {
		munmap(area, shm_page());
		return r;
	}
	title.area = area;
	return 0;
}

/*
 * Writes the end first, then byte by byte: a concurrent reader always sees an end within the area.
 * Returns the place of the NUL.
 */
static size_t put(size_t at, const char *text)
{
	while (*text && at < TITLE_SIZE - 2) {
		title.area[at + 1] = '\0';
		title.area[at++] = *text++;
	}
	title.area[at] = '\0';
	return at;
}

static void set_comm(pid_t self, const char *comm)
{
	title.comm_pid = self;
	prctl(PR_SET_NAME, comm, 0L, 0L, 0L);
}

void title_set_comm(const char *comm) { set_comm(getpid(), comm); }

void title_set(const char *text)
{
	pid_t self = getpid();
	size_t at;

	if (title.comm_pid != self)
		set_comm(self, text);
	if (!title.area)
		return;
	at = put(0, title.prefix);
	at = put(at, ": ");
	title.suffix_at = put(at, text);
	title_suffix = title.suffix_at < TITLE_SIZE - 2 ? title.area + title.suffix_at : &nowhere;
}

void title_set_suffix(const char *text)
{
	size_t at = title.suffix_at;

	if (!title.area)
		return;
	title.area[at] = '\0';
	if (*text)
		put(put(at, " "), text);
}
