/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - the bytes of a job on a socket. They belong to the calling thread (no lock), or to a
 * job of a queue (its lock).
 */
#ifndef BROOD_ENGINE_TRANSFER_H
#define BROOD_ENGINE_TRANSFER_H

#include "engine.h"
#include <poll.h>
#include <stdbool.h>

struct transfer {
	int fd;
	const char *request;
	size_t left; /* of the request */
	char *reply;
	size_t room, received; /* received: also what did not fit */
	bool grows;            /* reply is malloc()'s, and gets as large as it must */
	bool writing, reading;
	uint32_t watched; /* by an epoll: for these events */
	int error;        /* what the caller's buffers or the kernel spoilt */
	/* until then a reply may lie in the socket: the verdict ends the call, not its last byte */
	uint64_t quiet_until;
};

void transfer_begin(struct transfer *t, int fd, const struct engine_bytes *bytes);
void transfer_poll(
	struct transfer *t, uint64_t now, struct pollfd *ret_poll, uint64_t *inout_until);
/* for an epoll: makes it tell what poll() would be asked */
void transfer_watch(struct transfer *t, int epoll_fd, uint64_t data);
/* no more */
void transfer_unwatch(struct transfer *t, int epoll_fd);
/* what poll() or an epoll said */
void transfer_step(struct transfer *t, short revents);
/* the verdict is there: what lies in the socket, without waiting */
void transfer_finish(struct transfer *t);

#endif
