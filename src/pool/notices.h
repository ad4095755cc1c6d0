/* SPDX-License-Identifier: MIT */
/*
 * notices.h - messages for the service manager that wait to be sent: in order, so many at most. A
 * message may have one fd.
 *
 * A service manager that does not read for long must not cost memory, nor the messages that matter.
 * So a newer status takes the place of an older one that waits as the last. Others than the
 * supervisor get only a part of the room (NOTICES_FOR_OTHERS): what the supervisor itself has to
 * say (ready, stopping, why the start failed) always finds room behind that.
 */
#ifndef BROOD_POOL_NOTICES_H
#define BROOD_POOL_NOTICES_H

#include "../base/base.h"

#define NOTICES_MAX        32u
#define NOTICES_FOR_OTHERS 24u   /* messages of the engine find no room beyond that many */
#define NOTICE_TEXT_MAX    2048u /* with the NUL; systemd itself reads at most 4096 */

enum notice_kind {
	NOTICE_PLAIN,  /* the supervisor's own: goes whatever comes after it */
	NOTICE_STATUS, /* needless as soon as there is a newer one */
	NOTICE_ONCE,   /* needless if the same text waits already */
	NOTICE_OTHERS, /* of the engine */
};
struct notice {
	enum notice_kind kind;
	int fd; /* -1: none */
	uint32_t size;
	char text[NOTICE_TEXT_MAX];
};
struct notices {
	uint32_t first, count;
	uint64_t dropped;
	struct notice ring[NOTICES_MAX];
};

/*
 * Adds a message. 0: it waits, or needs not; the fd is the queue's now. -ENOBUFS: there is no room,
 * -EMSGSIZE: it is too long; the fd is still the caller's. fd -1: none.
 */
int notices_add(struct notices *n, enum notice_kind kind, const char *text, int fd);
/* The message that is next. NULL: none waits. */
struct notice *notices_first(struct notices *n);
/* Takes out the first message. Returns its fd, which is the caller's now; -1: it had none. */
int notices_take(struct notices *n);

#endif
