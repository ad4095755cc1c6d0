/* SPDX-License-Identifier: MIT */
/*
 * listening.c - see listening.h.
 *
 * Two starts at once may find the same old socket file. If both removed it and made their own, one
 * of the two would listen at a file that nobody sees. So a start holds a lock of the folder
 * (flock()) from the look at the old file until it listens itself. The end of a brood needs no
 * lock: it removes the file while it still listens, and no start replaces a file at which somebody
 * listens.
 */
#include "listening.h"
#include "fds.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG    64
#define LOCK_TRIES 100 /* one each 10 ms */

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, path, MIN(strlen(path), sizeof address.sun_path - 1));
	return address;
}

/* 0, or -errno. The folder is the path up to its last slash. */
static int open_folder(const char *path, const char **ret_why)
{
	char folder[LISTENING_PATH_MAX] = "/";
	size_t length = (size_t)(strrchr(path, '/') - path);
	struct stat st;
	int fd;

	if (length > 0)
		memcpy(folder, path, MIN(length, sizeof folder - 1));
	*ret_why = "its folder cannot be opened";
	fd = TEMP_FAILURE_RETRY(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || (st.st_uid != geteuid() && st.st_uid != 0)) {
		*ret_why = "its folder is another user's: name one of this user or of root";
		close_fd(fd);
		return -EPERM;
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX)) {
		*ret_why = "others may write to its folder, and could put a socket of their own "
			   "there: chmod go-w";
		close_fd(fd);
		return -EPERM;
	}
	return fd;
}

/* File systems without locks are used without one. */
static int lock_folder(int folder, const char **ret_why)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(folder, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return 0;
		poll(NULL, 0, 10);
	}
	*ret_why = "another process holds a lock (flock) of its folder";
	return -EBUSY;
}

/* True: a process listens there, or may. */
static bool somebody_listens(const char *path)
{
	const struct sockaddr_un address = address_of(path);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
		(errno != ECONNREFUSED && errno != ENOENT);
}

/* Removes the socket file of a process that is gone. */
static int make_room(int folder, const char *path, const char **ret_why)
{
	const char *name = strrchr(path, '/') + 1;
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		*ret_why = "it cannot be looked at";
		return errno == ENOENT ? 0 : -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		*ret_why = "a file that is no socket has that name: remove it, or take another "
			   "name";
		return -EEXIST;
	}
	if (somebody_listens(path)) {
		*ret_why = "another process listens there: a second brood needs a path of its own";
		return -EADDRINUSE;
	}
	*ret_why = "the socket of a process that is gone cannot be removed";
	return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * bind() makes the file with the mode of the socket, less the umask: so the mode is set before, and
 * no other process ever sees a wider one. A umask that takes even the owner's bits is mended after.
 */
static int make(int folder, struct listening *l, const char **ret_why)
{
	const struct sockaddr_un address = address_of(l->path);
	const char *name = strrchr(l->path, '/') + 1;
	struct stat st;

	*ret_why = "the socket cannot be made";
	l->fd = fds_above_standard(
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (l->fd < 0)
		return -errno;
	if (fchmod(l->fd, 0600) < 0 ||
		bind(l->fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode) ||
		st.st_uid != geteuid()) {
		*ret_why = "its folder was moved meanwhile";
		return -ESTALE;
	}
	l->device = st.st_dev;
	l->inode = st.st_ino;
	if ((st.st_mode & 07777) != 0600 && fchmodat(folder, name, 0600, 0) < 0)
		return -errno;
	return listen(l->fd, BACKLOG) < 0 ? -errno : 0;
}

int listening_open(const char *path, struct listening *ret, const char **ret_why)
{
	struct listening l = { .fd = -1 };
	_cleanup_close_ int folder = open_folder(path, ret_why);
	int r;

	if (folder < 0)
		return folder;
	memcpy(l.path, path, MIN(strlen(path), sizeof l.path - 1));
	if ((r = lock_folder(folder, ret_why)) < 0 || (r = make_room(folder, path, ret_why)) < 0)
		return r;
	r = make(folder, &l, ret_why);
	if (r < 0) {
		listening_end(&l);
		return r;
	}
	*ret = l;
	return 0;
}

void listening_end(struct listening *l)
{
	struct stat st;

	if (l->inode && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
		unlink(l->path);
	l->inode = 0;
	l->fd = close_fd(l->fd);
}

int listening_accept(int fd, pid_t *ret_pid, uid_t *ret_user)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), error;
	socklen_t size = sizeof(struct ucred);
	struct ucred who;

	if (peer < 0)
		return -errno;
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
		error = errno;
		close_fd(peer);
		return -error;
	}
	*ret_pid = who.pid;
	*ret_user = who.uid;
	return peer;
}
