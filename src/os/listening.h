/* SPDX-License-Identifier: MIT */
/* listening.h - a SEQPACKET socket with a name in the file system, for this user alone. */
#ifndef BROOD_OS_LISTENING_H
#define BROOD_OS_LISTENING_H

#include "../base/base.h"

#define LISTENING_PATH_MAX 108 /* as in struct sockaddr_un, with the NUL */

/* fd -1: there is none. device, inode: of the file that was made. */
struct listening {
	int fd;
	char path[LISTENING_PATH_MAX];
	uint64_t device, inode;
};
/*
 * Makes the socket: mode 0600 from its first moment, whatever the umask. A socket file at which
 * nobody listens is replaced; a symbolic link is never followed there. The folder must be this
 * user's or root's, and nobody else may rename in it. path: absolute, less than
 * LISTENING_PATH_MAX bytes.
 * Returns 0, or -errno with what was wrong in *ret_why:
 *   -EADDRINUSE  somebody listens there
 *   -EEXIST      a file is there that is no socket
 *   -EPERM       others may write to the folder
 *   -EBUSY       another process holds the folder's lock for long
 */
int listening_open(const char *path, struct listening *ret, const char **ret_why);
/* Removes the file, if it is still this socket's, and closes the socket. */
void listening_end(struct listening *l);
/*
 * Accepts a connection, and says who is at its other end. Returns an fd that never blocks, or
 * -errno; -EAGAIN: there is none now.
 */
int listening_accept(int fd, pid_t *ret_pid, uid_t *ret_user);

#endif
