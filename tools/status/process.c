/* SPDX-License-Identifier: MIT */
/* process.c - see process.h */
#include "process.h"

#include "calls.h"

#include "../../src/os/waits.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The beginning of a file of /proc, as a text; "": it cannot be read. */
static void read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[48];
	ssize_t n;
	int fd;

	text[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

void process_look(pid_t pid, struct process *ret)
{
	const uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
	unsigned long long user, kernel, born, pages;
	char text[1024], state;
	const char *at;
	int parent;

	memset(ret, 0, sizeof *ret);
	if (pid <= 0)
		return;
	read_file(pid, "stat", text, sizeof text);
	at = strrchr(text, ')'); /* the name before may have any characters */
	if (!at ||
		sscanf(at,
			") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			"%*d %*d %llu %*u %llu",
			&state, &parent, &user, &kernel, &born, &pages) != 6)
		return;
	ret->state = state;
	ret->parent = (pid_t)parent;
	ret->cpu_ns = (user + kernel) * tick_ns;
	ret->memory = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	ret->born_tick = born;
}

bool process_gone(const struct process *process)
{
	return process->state == 0 || process->state == 'Z' || process->state == 'X';
}

bool process_stopped(const struct process *process)
{
	return process->state == 'T' || process->state == 't';
}

/* ---- what it waits on ---- */

/* The kernel's function in which it sleeps, or "-". */
static void kernel_function(pid_t pid, char *ret, size_t size)
{
	read_file(pid, "wchan", ret, size);
	if (!ret[0] || strcmp(ret, "0") == 0)
		snprintf(ret, size, "-");
}

/* "read(5: socket:[4711])"; a path may have any bytes: who prints it makes it harmless. */
static void with_file(pid_t pid, const char *call, long fd, char ret[PROCESS_WAIT_MAX])
{
	char path[48], target[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/fd/%ld", (int)pid, fd);
	n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	snprintf(ret, PROCESS_WAIT_MAX, n > 0 ? "%s(%ld: %s)" : "%s(%ld)", call, fd, target);
}

/* args: the arguments of a futex call, as /proc/PID/syscall has them. */
static const char *futex_or_mutex(char *args)
{
	unsigned long op, value;

	(void)strtoul(args, &args, 16); /* the address */
	op = strtoul(args, &args, 16);
	value = strtoul(args, &args, 16);
	return waits_is_mutex(op, value) ? "mutex" : "futex";
}

/* False: this user may not see it. */
static bool system_call(pid_t pid, char ret[PROCESS_WAIT_MAX])
{
	char text[256], *rest;
	const char *name;
	long number;

	read_file(pid, "syscall", text, sizeof text);
	if (!text[0])
		return false;
	if (strncmp(text, "running", 7) == 0) {
		snprintf(ret, PROCESS_WAIT_MAX, "running");
		return true;
	}
	number = strtol(text, &rest, 10);
	name = calls_name(number);
	if (number < 0) /* in the kernel, but in no system call: a page fault */
		snprintf(ret, PROCESS_WAIT_MAX, "fault");
	else if (!name)
		snprintf(ret, PROCESS_WAIT_MAX, "system call %ld", number);
	else if (number == SYS_futex)
		snprintf(ret, PROCESS_WAIT_MAX, "%s", futex_or_mutex(rest));
	else if (calls_has_fd(number))
		with_file(pid, name, (long)(int)strtoul(rest, NULL, 16), ret);
	else
		snprintf(ret, PROCESS_WAIT_MAX, "%s", name);
	return true;
}

void process_wait(pid_t pid, const struct process *process, char ret[PROCESS_WAIT_MAX])
{
	char where[64];

	switch (process->state) {
	case 0: snprintf(ret, PROCESS_WAIT_MAX, "-"); break;
	case 'R': snprintf(ret, PROCESS_WAIT_MAX, "running"); break;
	case 'T':
	case 't': snprintf(ret, PROCESS_WAIT_MAX, "stopped"); break;
	case 'Z':
	case 'X': snprintf(ret, PROCESS_WAIT_MAX, "dead"); break;
	case 'D':
		kernel_function(pid, where, sizeof where);
		snprintf(ret, PROCESS_WAIT_MAX, "D %s", where);
		break;
	default:
		if (!system_call(pid, ret)) {
			kernel_function(pid, where, sizeof where);
			snprintf(ret, PROCESS_WAIT_MAX, "%s", where);
		}
	}
}

/* ---- of /proc/PID/status ---- */

static const char *line_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? at + strlen(key) : NULL;
}

pid_t process_inner_pid(pid_t pid)
{
	char text[4096];
	const char *at;
	long last = 0;

	read_file(pid, "status", text, sizeof text);
	at = line_of(text, "\nNSpid:");
	while (at && *at && *at != '\n') {
		if (isdigit((unsigned char)*at))
			last = strtol(at, (char **)(uintptr_t)&at, 10);
		else
			at++;
	}
	return (pid_t)last;
}

bool process_signal_in(pid_t pid, enum process_signals set, int sig)
{
	char text[4096];
	const char *at;

	read_file(pid, "status", text, sizeof text);
	at = line_of(text, set == PROCESS_CAUGHT ? "\nSigCgt:" : "\nSigBlk:");
	return at && strtoull(at, NULL, 16) >> (sig - 1) & 1;
}

uint64_t process_sleeps(pid_t pid)
{
	char text[4096];
	const char *at;

	read_file(pid, "status", text, sizeof text);
	at = line_of(text, "\nvoluntary_ctxt_switches:");
	return at ? strtoull(at, NULL, 10) : 0;
}
