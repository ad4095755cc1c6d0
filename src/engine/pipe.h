/* SPDX-License-Identifier: MIT */
/*
 * pipe.h - large requests and replies of a call on a lease: the bytes go over a socket pair.
 *
 * A socket hands the same warm memory on again and again, where a file in memory of that size needs
 * fresh pages for each job. So a request that is too large for the ring comes with a socket, and a
 * reply that grows too large for it is written into a socket: that of the request, or one that the
 * worker sends over the side socket. The thread that waits for the call moves the bytes. Nobody
 * need wait for a submitted job, so its bytes go by files in memory.
 *
 * All under the queue's lock.
 */
#ifndef BROOD_ENGINE_PIPE_H
#define BROOD_ENGINE_PIPE_H

#include <stdbool.h>
#include <stdint.h>

struct given;
struct queue;
struct queue_job;

/* The request goes over a pipe: one is made anew for each attempt. 0 or -ENOMEM. */
int pipe_order(struct queue_job *job, const struct given *given);
/* Makes the socket pair for this attempt; the worker's end in *ret_theirs. 0 or -errno. */
int pipe_open(struct queue_job *job, int *ret_theirs);
/* That end is on its way: begins to write. */
void pipe_begin(struct queue *l, struct queue_job *job);
/* A socket for the reply, from the worker. Owned now, also on failure. 0 or -errno. */
int pipe_take(struct queue *l, struct queue_job *job, int fd);
/* Something can be read or written. */
void pipe_event(struct queue *l, struct queue_job *job);
/* The job has ended: reads what is there. True: it makes `size` bytes in all. */
bool pipe_finish(struct queue_job *job, uint64_t size);
/* Its worker has died: how many bytes of the reply had come over the pipe. */
uint64_t pipe_so_far(struct queue_job *job);
void pipe_free(struct queue *l, struct queue_job *job);

#endif
