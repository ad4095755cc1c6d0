/* SPDX-License-Identifier: MIT */
/*
 * closing.h - close() of files that the program or a job has made, without waiting.
 *
 * close() may block: on a TCP socket with SO_LINGER and unsent bytes, on a file of a network or
 * FUSE file system, on a socket in whose queue such a descriptor lies. Supervisor and engine must
 * not block. So a short-lived process that shares their table of files closes it for them (see
 * closing.c).
 */
#ifndef BROOD_OS_CLOSING_H
#define BROOD_OS_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#define CLOSING_NAME    "brood-close" /* the helper's name in ps */
#define CLOSING_HELPERS 4             /* so many helpers run at once at most */
/*
 * How this process does a close() that may block. PLAIN: it closes, and waits. CHILD: a child of
 * this process closes, and SIGCHLD tells of its end. SIBLING: a child of the parent closes, so that
 * the program never sees a child that it did not make.
 */
enum closing_way { CLOSING_PLAIN, CLOSING_CHILD, CLOSING_SIBLING };
/* pids: the pids of the last helpers are written here; NULL only with CLOSING_PLAIN. */
void closing_by(enum closing_way way, _Atomic int pids[CLOSING_HELPERS]);

int closing_fd(int fd); /* closes any descriptor; returns -1, as close_fd() does */
/* An AF_UNIX socket of the library's own: only a descriptor in its queue may block. Returns -1. */
int closing_pair_end(int fd);
/* True: close() of this file cannot block, as far as one can see. */
bool closing_is_harmless(int fd);
/*
 * Closes a socket without waiting, whatever SO_LINGER says: the kernel sends the rest later. (A
 * socket with l_linger 0 is still aborted.) Returns -1, as close_fd() does.
 */
int closing_socket(int fd);
/*
 * Waits until the helpers have closed all that they were given, or until `until`. For a process
 * whose workers have ended: the helpers no longer wait before they close.
 */
void closing_settle(uint64_t until);

#endif
