/* SPDX-License-Identifier: MIT */
/*
 * closing.h - close() of what others made or wrote to, without waiting for it.
 *
 * close() may block: a TCP socket with SO_LINGER and unsent bytes, a file on a network or FUSE file
 * system, a socket in whose queue such a descriptor lies. Supervisor and engine must not: then a
 * short-lived process that shares their table of files closes it for them (see closing.c).
 */
#ifndef BROOD_OS_CLOSING_H
#define BROOD_OS_CLOSING_H

/*
 * What this process does about a close() that may block. PLAIN: it closes, and waits. CHILD: a
 * child of its own closes, which SIGCHLD tells of. SIBLING: a child of its parent, so that the
 * program never sees one that it did not make.
 */
#define CLOSING_NAME    "brood-close" /* what ps calls the helper */
#define CLOSING_HELPERS 4             /* at a time */
enum closing_way { CLOSING_PLAIN, CLOSING_CHILD, CLOSING_SIBLING };
/* pids: where those of the last helpers stand; not NULL but for PLAIN */
void closing_by(enum closing_way way, _Atomic int pids[CLOSING_HELPERS]);

int closing_fd(int fd); /* any descriptor. Returns -1, as close_fd() */
/* an AF_UNIX socket of ours: only what lies in its queue is others' */
int closing_pair_end(int fd);

#endif
