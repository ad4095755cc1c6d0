/* SPDX-License-Identifier: MIT */
/*
 * waits.c - see waits.h. /proc/PID/syscall has the number and the arguments of the system call in
 * which a thread sleeps. Where it cannot be read (another user's process, a kernel without it), the
 * kernel function that sleeps says nearly as much.
 */
#define _GNU_SOURCE
#include "waits.h"
#include "proc.h"
#include "procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

enum about { ABOUT_FD, ABOUT_NOTHING, ABOUT_FUTEX };

#define CALL(name, about)                \
	{                                \
#name, SYS_##name, about \
	}
static const struct {
	const char *name;
	long number;
	enum about about;
} calls[] = {
	CALL(futex, ABOUT_FUTEX),
	CALL(read, ABOUT_FD),
	CALL(write, ABOUT_FD),
	CALL(readv, ABOUT_FD),
	CALL(writev, ABOUT_FD),
	CALL(pread64, ABOUT_FD),
	CALL(pwrite64, ABOUT_FD),
	CALL(recvfrom, ABOUT_FD),
	CALL(recvmsg, ABOUT_FD),
	CALL(recvmmsg, ABOUT_FD),
	CALL(sendto, ABOUT_FD),
	CALL(sendmsg, ABOUT_FD),
	CALL(accept4, ABOUT_FD),
	CALL(connect, ABOUT_FD),
	CALL(flock, ABOUT_FD),
	CALL(fcntl, ABOUT_FD),
	CALL(fsync, ABOUT_FD),
	CALL(fdatasync, ABOUT_FD),
	CALL(ioctl, ABOUT_FD),
	CALL(epoll_pwait, ABOUT_FD),
	CALL(ppoll, ABOUT_NOTHING),
	CALL(pselect6, ABOUT_NOTHING),
	CALL(clock_nanosleep, ABOUT_NOTHING),
	CALL(nanosleep, ABOUT_NOTHING),
	CALL(rt_sigsuspend, ABOUT_NOTHING),
	CALL(rt_sigtimedwait, ABOUT_NOTHING),
	CALL(wait4, ABOUT_NOTHING),
	CALL(waitid, ABOUT_NOTHING),
	CALL(openat, ABOUT_NOTHING),
#ifdef SYS_poll /* an older processor has the older calls, too */
	CALL(accept, ABOUT_FD),
	CALL(epoll_wait, ABOUT_FD),
	CALL(poll, ABOUT_NOTHING),
	CALL(select, ABOUT_NOTHING),
	CALL(pause, ABOUT_NOTHING),
	CALL(open, ABOUT_NOTHING),
#endif
};

char *waits_tell(char state, const char *line, const char *wchan, char *text, size_t size)
{
	unsigned long args[3] = { 0 };
	char *end;
	long number;

	snprintf(text, size, "%s",
		state == 'R'                           ? "runs"
			: state == 'T' || state == 't' ? "stopped"
			: state == 'D'                 ? "waits in the kernel (state D)"
						       : "");
	if (text[0] || strncmp(line, "running", 7) == 0)
		return text[0] ? text : strncpy(text, "runs", size);
	number = strtol(line, &end, 10);
	if (end == line || number < 0) {
		snprintf(text, size, "%s", strcmp(wchan, "0") == 0 ? "" : wchan);
		return text;
	}
	for (int i = 0; i < 3; i++)
		args[i] = strtoul(end, &end, 16);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].number != number)
			continue;
		if (calls[i].about == ABOUT_FUTEX && waits_is_mutex(args[1], args[2]))
			snprintf(text, size, "mutex");
		else if (calls[i].about == ABOUT_FD)
			snprintf(text, size, "%s of %d", calls[i].name, (int)args[0]);
		else
			snprintf(text, size, "%s", calls[i].name);
		return text;
	}
	snprintf(text, size, "system call %ld", number);
	return text;
}

/* Writes the file behind "read of 5". The link in /proc is read, not followed. */
static void name_file(pid_t pid, char *text, size_t size)
{
	const char *of = strstr(text, " of ");
	size_t used = strlen(text);
	char path[PROCFS_PATH], name[24], link[64];
	ssize_t n;

	if (!of)
		return;
	snprintf(name, sizeof name, "fd/%.12s", of + 4);
	n = readlink(procfs_path(path, pid, name), link, sizeof link - 1);
	if (n <= 0)
		return;
	link[n] = '\0';
	snprintf(text + used, size - used, " (%s)", link);
}

static void read_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[PROCFS_PATH];

	if (procfs_read(procfs_path(path, pid, name), text, size) < 0)
		text[0] = '\0';
}

char *waits_look(pid_t pid, char *text, size_t size)
{
	char line[160], wchan[64];
	struct proc_stat stat;

	text[0] = '\0';
	if (proc_stat(pid, &stat) < 0 || stat.exiting)
		return text;
	read_text(pid, "syscall", line, sizeof line);
	read_text(pid, "wchan", wchan, sizeof wchan);
	waits_tell(stat.state, line, wchan, text, size);
	name_file(pid, text, size);
	return text;
}
