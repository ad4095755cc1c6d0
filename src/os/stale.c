/* SPDX-License-Identifier: MIT */
#include "stale.h"
#include "procfs.h"
#include "shm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FIRST      3
#define ROOM       64 /* At least this many numbers stay free for files of jobs. */
#define LOCKED_MAX 512
/* How many numbers are tried one by one where there is no /proc. */
#define NO_PROC_MAX 65536

/* During the survey: all open files, also the kept ones and 0-2. */
struct seen {
	int fd;
	bool stays, socket, locked;
	dev_t device;
	ino_t inode;
};
struct survey {
	struct seen *list;
	size_t count, room;
	bool short_of_memory;
};

/* ---- which files are open ---- */

static int see(void *context, int fd)
{
	struct survey *v = context;

	if (v->count == v->room) {
		size_t room = v->room ? 2 * v->room : 64;
		struct seen *more = realloc(v->list, room * sizeof *more);

		if (!more) {
			v->short_of_memory = true;
			return 1;
		}
		v->list = more;
		v->room = room;
	}
	v->list[v->count++] = (struct seen){ .fd = fd };
	return 0;
}

static int see_all(struct survey *v, rlim_t limit)
{
	int r = procfs_each_fd(see, v);

	if (r < 0) {
		v->count = 0;
		for (int fd = 0; fd < (int)MIN(limit, NO_PROC_MAX) && !v->short_of_memory; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				see(v, fd);
	}
	return v->short_of_memory ? -ENOMEM : 0;
}

/* Does not touch the file itself: a file on a dead server must not hold up the start. */
static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/*
 * Without /proc: tells whether a lock of this process conflicts with a lock of the open file
 * itself.
 */
static bool locked_by_us(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
		lock.l_pid == getpid();
}

/*
 * Looks for a line like "lock:\t1: POSIX  ADVISORY  WRITE 4711 08:01:99 0 EOF". Only locks of this
 * process are listed.
 */
static bool is_locked(int fd)
{
	char path[64], text[2048];

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	if (procfs_read(path, text, sizeof text) < 0)
		return locked_by_us(fd);
	for (char *line = text; (line = strstr(line, "lock:\t")); line++)
		if (strncmp(line + strcspn(line, " ") + 1, "POSIX", 5) == 0)
			return true;
	return false;
}

static void identify(struct seen *e)
{
	struct statx st;

	if (e->socket || statx(e->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0)
		return;
	e->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	e->inode = st.stx_ino;
}

/*
 * Marks all descriptors of the same file as locked: the close() of any of them would end the lock.
 */
static void lock_brothers(struct survey *v)
{
	for (size_t i = 0; i < v->count; i++)
		identify(&v->list[i]);
	for (size_t i = 0; i < v->count; i++)
		for (size_t k = 0; v->list[i].locked && v->list[i].inode && k < v->count; k++)
			if (v->list[k].inode == v->list[i].inode &&
				v->list[k].device == v->list[i].device)
				v->list[k].locked = true;
}

static void look_at_each(struct survey *v, const int *keep, size_t keep_count)
{
	bool locks = false;

	for (size_t i = 0; i < v->count; i++) {
		struct seen *e = &v->list[i];

		e->stays = e->fd < FIRST;
		for (size_t k = 0; k < keep_count && !e->stays; k++)
			e->stays = keep[k] == e->fd;
		e->socket = is_socket(e->fd);
		e->locked = !e->socket && is_locked(e->fd);
		locks |= e->locked;
	}
	if (locks)
		lock_brothers(v);
}

/* ---- which files get a stand-in ---- */

static int by_number(const void *a, const void *b)
{
	return ((const struct stale_file *)a)->fd - ((const struct stale_file *)b)->fd;
}

static int list_files(struct stale *s, const struct survey *v)
{
	s->files = calloc(MAX(v->count, 1u), sizeof *s->files);
	if (!s->files)
		return -ENOMEM;
	for (size_t i = 0; i < v->count; i++) {
		const struct seen *e = &v->list[i];

		if (e->stays)
			continue;
		s->files[s->count++] = (struct stale_file){
			.fd = e->fd, .socket = e->socket, .locked = e->locked
		};
		s->locked += e->locked;
	}
	qsort(s->files, s->count, sizeof *s->files, by_number);
	return s->locked > LOCKED_MAX ? -E2BIG : 0;
}

/* The lowest numbers come first, because new files get them. `soft`: the limit of workers. */
static void choose(struct stale *s, size_t stay, rlim_t soft)
{
	size_t taken = stay + MIN((size_t)ROOM, (size_t)MIN(soft, SIZE_MAX) / 4), places;

	places = soft > taken ? (size_t)MIN(soft - taken, STALE_NUMBERS) : 0;
	for (size_t i = 0; i < s->count; i++) {
		struct stale_file *f = &s->files[i];

		if ((rlim_t)f->fd >= soft)
			continue;
		if (f->fd >= STALE_NUMBERS) {
			s->high++;
		} else if (s->standing == places) {
			s->crowded++;
		} else {
			f->stands = true;
			s->standing++;
		}
	}
}

/* ---- the originals of the stand-ins ---- */

/* A process that opens this file anew through /proc can neither read nor write anything there. */
static int make_refusing_file(void)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	_cleanup_close_ int file = shm_memfd("brood: not open here", NULL, 0, &seals);
	char path[64];
	int fd;

	if (file < 0)
		return file;
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) /* without /proc, no plain file is sure to exist */
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_refusing_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	shutdown(fd, SHUT_RDWR); /* the socket refuses even when a job connects it */
	return fd;
}

static int make_refusing(struct stale *s)
{
	int r;

	for (size_t i = 0; i < s->count; i++) {
		int *fd = s->files[i].socket ? &s->refusing_socket : &s->refusing_file;

		if (!s->files[i].stands || *fd >= 0)
			continue;
		r = s->files[i].socket ? make_refusing_socket() : make_refusing_file();
		if (r < 0)
			return r;
		*fd = r;
	}
	return 0;
}

int stale_survey(struct stale *ret, const int *keep, size_t keep_count)
{
	struct stale s = { .refusing_file = -1, .refusing_socket = -1 };
	struct survey v = { 0 };
	struct rlimit limit;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	r = see_all(&v, limit.rlim_cur);
	if (r == 0) {
		look_at_each(&v, keep, keep_count);
		r = list_files(&s, &v);
	}
	if (r == 0) {
		choose(&s, v.count - s.count, limit.rlim_cur);
		r = make_refusing(&s);
	}
	free(v.list);
	if (r < 0) {
		stale_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void stale_free(struct stale *s)
{
	if (!s->files)
		return;
	close_fdp(&s->refusing_file);
	close_fdp(&s->refusing_socket);
	free(s->files);
	*s = (struct stale){ 0 };
}

/* ---- the stand-ins in the processes ---- */

/* A number without a stand-in is closed and stays free. */
static void take_place(struct stale *s, struct stale_file *f)
{
	int fd = f->socket ? s->refusing_socket : s->refusing_file, r;

	do
		r = dup3(fd, f->fd, O_CLOEXEC);
	while (r < 0 && (errno == EINTR || errno == EBUSY));
	if (r >= 0)
		return;
	close(f->fd);
	f->stands = false;
	s->standing--;
}

static void take_places(struct stale *s, bool locked)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].stands && s->files[i].locked == locked)
			take_place(s, &s->files[i]);
}

void stale_take_places(struct stale *s) { take_places(s, false); }

void stale_take_locked(struct stale *s) { take_places(s, true); }

size_t stale_keep_in_supervisor(const struct stale *s, int *keep)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].stands || s->files[i].locked)
			keep[n++] = s->files[i].fd;
	if (s->locked > 0 && s->refusing_file >= 0)
		/* A worker puts a copy of the refusing file in the place of each locked file. */
		keep[n++] = s->refusing_file;
	return n;
}

size_t stale_keep_in_worker(const struct stale *s, int *keep)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].stands)
			keep[n++] = s->files[i].fd;
	return n;
}

size_t stale_closed(struct stale *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct stale_file *f = &s->files[i];

		if (!f->stands || fcntl(f->fd, F_GETFD) >= 0)
			continue;
		f->stands = false;
		n++;
	}
	s->standing -= n;
	return n;
}
