/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - the bytes of a job on a socket. A transfer belongs to the calling thread (no lock),
 * or to a job of a queue (under the queue's lock).
 */
#ifndef BROOD_ENGINE_TRANSFER_H
#define BROOD_ENGINE_TRANSFER_H

#include "engine.h"
#include <poll.h>
#include <stdbool.h>

struct transfer {
	int fd;
	const char *request;
	size_t left; /* bytes of the request that are left */
	char *reply;
	size_t room, received; /* received: counts also what did not fit */
	bool grows;            /* reply is from malloc(), and grows as needed */
	bool writing, reading;
	uint32_t watched; /* the events for which an epoll watches the socket */
	int error;        /* the fault of the caller's buffers or of the kernel */
	bool from_worker; /* a worker made the socket: its close() may block */
	/* Until then nobody reads the reply from the socket: see the head of transfer.c. */
	uint64_t quiet_until;
};

/* A socket that the worker of a carried job has made, on its way to the job's transfer. */
struct transfer_news {
	bool came;
	bool none; /* the worker, or the supervisor, had none to send */
	int fd;    /* -1: it was lost on the way */
};

/*
 * A job whose bytes travel in the messages. Until the job is closed, or its socket is adopted, the
 * transfer is only written by whoever reads the channel, under brood.lock.
 */
void transfer_carry(struct transfer *t, const struct engine_bytes *bytes);
/* The reply of a carried job has come, in one piece. */
void transfer_put(struct transfer *t, const void *data, size_t size);
/* If a socket came for the job, its reply comes over that socket from now on. */
void transfer_adopt(struct transfer *t, struct transfer_news *news);
void transfer_close(struct transfer *t); /* without waiting */

void transfer_begin(struct transfer *t, int fd, const struct engine_bytes *bytes);
void transfer_poll(
	struct transfer *t, uint64_t now, struct pollfd *ret_poll, uint64_t *inout_until);
/* Makes an epoll watch the socket for all that the transfer still has to do. */
void transfer_watch(struct transfer *t, int epoll_fd, uint64_t data);
/* The epoll watches the socket no more. */
void transfer_unwatch(struct transfer *t, int epoll_fd);
/* Moves bytes after poll() or an epoll has said what is possible. */
void transfer_step(struct transfer *t, short revents);
/* The verdict has come: reads what lies in the socket, without waiting. */
void transfer_finish(struct transfer *t);

#endif
