/* SPDX-License-Identifier: MIT */
#include "standard.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define FLAGS (O_NONBLOCK | O_APPEND | O_ASYNC | O_DIRECT) /* The flags that F_SETFL sets. */

void standard_look(struct standard *s)
{
	*s = (struct standard){ 0 };
	for (int i = 0; i < STANDARD_FILES; i++)
		s->noted[i] = s->start[i] = fcntl(STDOUT_FILENO + i, F_GETFL);
}

/* True: opening this file again gives the same file, and has no other effect. */
static bool can_be_opened(int fd, int flags)
{
	struct stat st;
	int number;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return flags & O_APPEND;
	if (S_ISFIFO(st.st_mode))
		return true;
	return S_ISCHR(st.st_mode) && isatty(fd) && ioctl(fd, TIOCGPTN, &number) < 0;
}

static bool open_own(int fd, int start)
{
	int flags = fcntl(fd, F_GETFL);
	_cleanup_close_ int own = -1;
	char path[32];

	if (flags < 0 || !can_be_opened(fd, flags))
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	own = open(path, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0 || fcntl(own, F_SETFL, start & FLAGS) < 0)
		return false;
	return dup2(own, fd) == fd;
}

void standard_choose(struct standard *s)
{
	for (int i = 0; i < STANDARD_FILES; i++) {
		int flags = fcntl(STDOUT_FILENO + i, F_GETFL);

		s->never_own[i] = flags < 0 || !can_be_opened(STDOUT_FILENO + i, flags);
	}
}

int standard_give_stderr(struct standard *s, int fd)
{
	const int file = STDERR_FILENO - STDOUT_FILENO;

	if (dup2(fd, STDERR_FILENO) < 0)
		return -errno;
	if (fd != STDERR_FILENO)
		close_fd(fd);
	s->given[file] = true;
	s->start[file] = s->noted[file] = O_WRONLY;
	return 0;
}

/* Uses the flags of the start, because a job may have set the present ones. */
void standard_open_own(struct standard *s)
{
	for (int i = 0; i < STANDARD_FILES; i++)
		s->own[i] = s->given[i] ||
			(s->start[i] >= 0 && !s->never_own[i] &&
				open_own(STDOUT_FILENO + i, s->start[i]));
}

bool standard_is_shared(const struct standard *s)
{
	for (int i = 0; i < STANDARD_FILES; i++)
		if (s->start[i] >= 0 && !s->own[i])
			return true;
	return false;
}

void standard_note(struct standard *s)
{
	if (s->is_noted)
		return;
	for (int i = 0; i < STANDARD_FILES; i++)
		if (s->start[i] >= 0 && !s->own[i])
			s->noted[i] = fcntl(STDOUT_FILENO + i, F_GETFL);
	s->is_noted = true;
}

void standard_note_own(struct standard *s)
{
	for (int i = 0; i < STANDARD_FILES; i++)
		if (s->own[i])
			s->start[i] = s->noted[i] = fcntl(STDOUT_FILENO + i, F_GETFL);
}

void standard_put_back_shared(int file, int start, int noted)
{
	int fd = STDOUT_FILENO + file, now, wrong;

	if (start < 0 || noted < 0)
		return;
	now = fcntl(fd, F_GETFL);
	if (now < 0)
		return;
	wrong = (now ^ noted) & (now ^ start) & FLAGS;
	if (wrong)
		fcntl(fd, F_SETFL, now ^ wrong);
}

void standard_put_back(const struct standard *s, int file)
{
	if (s->own[file] || s->is_noted)
		standard_put_back_shared(file, s->start[file], s->noted[file]);
}
